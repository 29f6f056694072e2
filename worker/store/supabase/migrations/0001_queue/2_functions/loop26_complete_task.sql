-- In Progress to Complete, with its output; its orchestrator too, when it was the last child.
create or replace function public.loop26_complete_task(
    p_token uuid, p_output_location text, p_result jsonb
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_owned record;
begin
    select * into v_owned from loop26.owned_task(p_token, 'complete', v_by, v_now);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    end if;
    if v_owned.settled is null then
        perform loop26.refuse_incomplete_children(v_owned.task);
        perform loop26.complete_with_orchestrator(
            v_owned.task,
            p_output_location,
            loop26.within_size(p_result),
            loop26.facts_of_attempt(v_owned.task),
            v_now
        );
    end if;
    return '{}';
end
$$;
