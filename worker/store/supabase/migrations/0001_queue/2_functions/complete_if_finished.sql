-- Complete an orchestrator that waits for its children, if every one of them is Complete.
create or replace function loop26.complete_if_finished(
    p_orchestrator_id uuid, p_last_child uuid, p_now timestamptz
) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_waiting public.tasks;
begin
    select * into v_waiting from public.tasks
    where id = p_orchestrator_id
        and status = 'In Progress'
        and spawned_at is not null
        and not exists (
            select 1 from public.tasks as child
            where child.parent_id = p_orchestrator_id and child.status <> 'Complete'
        )
    for no key update;
    if found then
        perform loop26.complete_with_orchestrator(
            v_waiting,
            loop26.output_of_children(p_orchestrator_id),
            v_waiting.result_data,
            jsonb_build_object('last_child', p_last_child),
            p_now
        );
    end if;
end
$$;
