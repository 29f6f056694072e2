-- Refuse to complete an orchestrator over children that are not Complete: its claim still stands.
-- Whoever inserts one meanwhile waits for the lock that the caller holds on the task. A task of
-- another type waits for nobody, whoever names it as a parent.
create or replace function loop26.refuse_incomplete_children(p_task public.tasks) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_child record;
begin
    select id, status into v_child from public.tasks
    where p_task.task_type = 'travel_orchestrator'
        and parent_id = p_task.id
        and status <> 'Complete'
    order by seq
    limit 1;
    if found then
        perform loop26.refuse_task(
            'children',
            v_child.id::text,
            format(
                'is %s: an orchestrator is Complete when all of its children are, and waits for them '
                'when it spawns',
                v_child.status
            )
        );
    end if;
end
$$;
