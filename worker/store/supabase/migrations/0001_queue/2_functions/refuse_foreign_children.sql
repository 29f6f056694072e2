-- Refuse what a worker may not insert as children of the task that it holds: it is to plan a journey,
-- and not to reach the rest of the queue by it.
create or replace function loop26.refuse_foreign_children(p_task public.tasks, p_children jsonb)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_child jsonb;
    v_needed text;
begin
    if p_task.task_type <> 'travel_orchestrator' and p_children <> '[]' then
        perform loop26.refuse_task(
            'task_type', p_task.task_type, 'has no children; a travel_orchestrator has'
        );
    end if;
    for v_child in select one from jsonb_array_elements(p_children) as one loop
        if v_child ->> 'task_type' not in ('travel_segment', 'travel_stitch', 'travel_orchestrator')
        then
            perform loop26.refuse_task(
                'task_type', v_child ->> 'task_type', 'is no part of a journey'
            );
        end if;
        if not starts_with(v_child ->> 'idempotency_key', p_task.id || '/') then
            perform loop26.refuse_task(
                'idempotency_key',
                v_child ->> 'idempotency_key',
                format('may be another''s: a child''s key begins with %s/', p_task.id)
            );
        end if;
        for v_needed in select jsonb_array_elements_text(v_child -> 'dependant_on') loop
            if not exists (
                select 1 from jsonb_array_elements(p_children) as one where one ->> 'id' = v_needed
            ) and not exists (
                select 1 from public.tasks
                where id = loop26.uuid_of(v_needed) and parent_id = p_task.id
            ) then
                perform loop26.refuse_task(
                    'dependant_on', v_needed, 'is no task of this queue that is of this journey'
                );
            end if;
        end loop;
    end loop;
end
$$;
