-- Count a death of the process that ran a task; returns the status that the task has now.
create or replace function public.loop26_record_death(
    p_token uuid, p_failure jsonb, p_max_deaths integer
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_failure jsonb := loop26.within_size(p_failure);
    v_limit integer := loop26.deaths_limit(p_max_deaths);
    v_owned record;
    v_task public.tasks;
    v_facts jsonb;
    v_status text;
begin
    select * into v_owned from loop26.owned_task(p_token, 'record_death', v_by, v_now, v_failure);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    elsif v_owned.settled is not null then
        -- Where that is not told, the present one.
        v_status := loop26.text_of(v_owned.settled -> 'status');
        return jsonb_build_object(
            'status',
            case when v_status in ('Queued', 'Failed') then v_status else (v_owned.task).status end
        );
    end if;
    v_task := v_owned.task;
    v_facts := jsonb_build_object('failure', v_failure) || loop26.facts_of_attempt(v_task);
    v_status := case when v_task.deaths + 1 < v_limit then 'Queued' else 'Failed' end;
    perform loop26.record_event(
        v_task.id,
        'died',
        v_facts || jsonb_build_object('deaths', v_task.deaths + 1, 'status', v_status),
        v_now
    );
    perform loop26.count_death(v_task, v_failure, v_limit, v_facts, v_now);
    return jsonb_build_object('status', v_status);
end
$$;
