-- The task that a claim's token owns, locked. Without one `fenced` says why, and the task's history
-- has the refusal, with the failure that the call was to tell of; `settled` is what this very call recorded when it settled the claim before.
create or replace function loop26.owned_task(
    p_token uuid,
    p_call text,
    p_worker text,
    p_now timestamptz,
    p_failure jsonb default null,
    out task public.tasks,
    out settled jsonb,
    out fenced text
)
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_claimed public.task_events;
    v_ended public.task_events;
    v_refused jsonb;
begin
    select * into v_claimed from public.task_events
    where name = 'claimed' and data ->> 'token' = p_token::text;
    -- To another worker's token this one is unknown, so that nothing is learned of it.
    if not found or (not loop26.is_operator() and v_claimed.data ->> 'by' is distinct from p_worker) then
        fenced := 'no task was ever claimed with it';
        return;
    end if;
    if p_call in ('complete', 'spawn', 'fail', 'record_death') then
        task := loop26.lock_family(v_claimed.task_id);
    else
        select * into task from public.tasks where id = v_claimed.task_id for no key update;
    end if;
    if task.claim_token = p_token and task.status = 'In Progress' then
        return;
    end if;
    select * into v_ended from public.task_events
    where task_id = v_claimed.task_id and seq > v_claimed.seq and name not in ('started', 'refused')
    order by seq
    limit 1;
    if
        loop26.call_that_settles(v_ended.name) = p_call
        and v_ended.data ->> 'token' = p_token::text
    then
        settled := v_ended.data;
        return;
    end if;
    fenced := loop26.reason_of_loss(task, p_token, v_ended);
    v_refused := jsonb_build_object(
        'call', p_call,
        'token', p_token,
        'reason', fenced,
        'worker_id', loop26.text_of(v_claimed.data -> 'worker_id'),
        'attempt', loop26.count_of(v_claimed.data -> 'attempt'),
        'ended', v_ended.name
    );
    if p_failure is not null then
        v_refused := v_refused || jsonb_build_object('failure', p_failure);
    end if;
    if v_ended.name = 'worker_lost' and not exists (
        select 1 from public.task_events as before
        where before.task_id = v_claimed.task_id and before.seq > v_claimed.seq
            and before.name = 'refused' and before.data ->> 'token' = p_token::text
    ) then
        v_refused := v_refused || jsonb_build_object(
            'death_taken_back', loop26.take_back_death(v_claimed.task_id, p_now)
        );
    end if;
    -- A claim that is over may be called with as often as somebody likes; its first refusals tell all.
    if (
        select count(*) from public.task_events as before
        where before.task_id = v_claimed.task_id and before.seq > v_claimed.seq
            and before.name = 'refused' and before.data ->> 'token' = p_token::text
    ) < 20 then
        perform loop26.record_event(v_claimed.task_id, 'refused', v_refused, p_now);
    end if;
end
$$;
