-- Count a death: the task is Queued again, or Failed with its family at the limit. Returns which.
create or replace function loop26.count_death(
    p_task public.tasks, p_failure jsonb, p_max_deaths integer, p_facts jsonb, p_now timestamptz
) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    if p_task.deaths + 1 < p_max_deaths then
        perform loop26.requeue_task(p_task.id, false, 1, null, p_now);
        return 'Queued';
    end if;
    perform loop26.fail_with_family(p_task, p_failure, p_facts, 1, p_now);
    return 'Failed';
end
$$;
