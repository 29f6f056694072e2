-- Whether the caller may read a task: an operator any, a worker's token those it has claimed once.
create or replace function loop26.may_read_task(p_task_id uuid, p_by text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp
as $$
select loop26.is_operator() or exists (
    select 1 from public.task_events
    where task_id = p_task_id and name = 'claimed' and data ->> 'by' = p_by
)
$$;
