-- Take the death of a worker that lives off a task's count: it had lost its queue, not its life. So
-- often for a task and no more, as what stalls a whole machine does not die either. Whether it could.
create or replace function loop26.take_back_death(p_task_id uuid, p_now timestamptz)
returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    update public.tasks set deaths = deaths - 1, updated_at = p_now
    where id = p_task_id and status in ('Queued', 'In Progress') and deaths > 0
        and 10 > (
            select count(*) from public.task_events
            where task_id = p_task_id and name = 'refused'
                and data -> 'death_taken_back' = 'true'::jsonb
        );
    return found;
end
$$;
