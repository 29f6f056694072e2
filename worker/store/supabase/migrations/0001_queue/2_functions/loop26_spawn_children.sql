-- Insert an orchestrator's children, and let it wait for them without a lease.
create or replace function public.loop26_spawn_children(
    p_token uuid, p_children jsonb, p_result jsonb
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_owned record;
    v_task public.tasks;
    v_ids uuid[];
begin
    select * into v_owned from loop26.owned_task(p_token, 'spawn', v_by, v_now);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    elsif v_owned.settled is not null then
        return jsonb_build_object('children', v_owned.settled -> 'children');
    end if;
    v_task := v_owned.task;
    if not loop26.is_operator() then
        perform loop26.refuse_foreign_children(v_task, p_children);
    end if;
    v_ids := loop26.add_tasks(
        (
            select coalesce(
                jsonb_agg(
                    child || jsonb_build_object(
                        'parent_id', v_task.id,
                        'project_id', v_task.project_id,
                        'trace_context', coalesce(
                            nullif(child ->> 'trace_context', ''), v_task.process_context
                        )
                    )
                    order by place
                ),
                '[]'
            )
            from jsonb_array_elements(p_children) with ordinality as given (child, place)
        ),
        null,
        v_now
    );
    update public.tasks
    set spawned_at = v_now,
        result_data = loop26.within_size(p_result),
        claim_token = null,
        claimed_by = null,
        lease_expires_at = null,
        updated_at = v_now
    where id = v_task.id;
    perform loop26.record_event(
        v_task.id,
        'spawned',
        jsonb_build_object('children', to_jsonb(v_ids)) || loop26.facts_of_attempt(v_task),
        v_now
    );
    perform loop26.settle_waiting(v_task.id, v_now);
    return jsonb_build_object('children', to_jsonb(v_ids));
end
$$;
