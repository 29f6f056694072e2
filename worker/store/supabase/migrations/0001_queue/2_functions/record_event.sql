-- Add a line to a task's history; the caller holds the lock of the task's row.
create or replace function loop26.record_event(
    p_task_id uuid, p_name text, p_data jsonb, p_now timestamptz
) returns void
language sql volatile set search_path = pg_catalog, pg_temp
as $$
insert into public.task_events (task_id, seq, at, name, data)
values (
    p_task_id,
    (select coalesce(max(seq), 0) + 1 from public.task_events where task_id = p_task_id),
    p_now,
    p_name,
    p_data
)
$$;
