-- Set the beginning of the generation to now: the model is loaded, billing starts here.
create or replace function public.loop26_mark_started(p_token uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_owned record;
begin
    select * into v_owned from loop26.owned_task(p_token, 'mark_started', v_by, v_now);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    end if;
    update public.tasks set generation_started_at = v_now, updated_at = v_now
    where id = (v_owned.task).id;
    -- Whoever holds a task may say so as often as it likes; the first times tell all.
    if (
        select count(*) from public.task_events
        where task_id = (v_owned.task).id and name = 'started'
            and data ->> 'token' = p_token::text
    ) < 20 then
        perform loop26.record_event(
            (v_owned.task).id, 'started', loop26.facts_of_attempt(v_owned.task), v_now
        );
    end if;
    return '{}';
end
$$;
