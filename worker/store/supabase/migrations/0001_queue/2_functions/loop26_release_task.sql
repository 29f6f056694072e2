-- In Progress to Queued: the attempt is given back (a drain, no try), or counted and tried again.
create or replace function public.loop26_release_task(
    p_token uuid,
    p_reason text,
    p_give_back boolean,
    p_delay_s double precision default 0,
    p_failure jsonb default null
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_failure jsonb := loop26.within_size(p_failure);
    v_delay_s double precision;
    v_owned record;
begin
    select * into v_owned from loop26.owned_task(p_token, 'release', v_by, v_now, v_failure);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    elsif v_owned.settled is not null then
        return '{}';
    end if;
    select loop26.within_limits(p_delay_s, 0, delay_at_most_s) into v_delay_s from loop26.limits;
    perform loop26.requeue_task(
        (v_owned.task).id,
        coalesce(p_give_back, false),
        0,
        case when v_delay_s > 0 then v_now + make_interval(secs => v_delay_s) end,
        v_now
    );
    perform loop26.record_event(
        (v_owned.task).id,
        case when p_give_back then 'released' else 'retried' end,
        jsonb_build_object('reason', left(p_reason, 10000), 'delay_s', v_delay_s, 'failure', v_failure)
            || loop26.facts_of_attempt(v_owned.task),
        v_now
    );
    return '{}';
end
$$;
