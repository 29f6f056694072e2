-- In Progress to Failed, with its error; its family fails with it.
create or replace function public.loop26_fail_task(p_token uuid, p_failure jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_failure jsonb := loop26.within_size(p_failure);
    v_owned record;
begin
    select * into v_owned from loop26.owned_task(p_token, 'fail', v_by, v_now, v_failure);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    end if;
    if v_owned.settled is null then
        perform loop26.fail_with_family(
            v_owned.task,
            v_failure,
            jsonb_build_object('failure', v_failure) || loop26.facts_of_attempt(v_owned.task),
            0,
            v_now
        );
    end if;
    return '{}';
end
$$;
