-- Take the next task that a worker can do; null without one. The same token gets the same task.
--
-- Tasks of the loaded model come first, unless the oldest has waited longer than that may take.
-- `fenced` says that the token has had a task, and has it no more.
create or replace function public.loop26_claim_task(
    p_worker_id text,
    p_token uuid,
    p_task_types text[],
    p_lease_s double precision,
    p_trace_id text,
    p_span_id text,
    p_loaded_model text default null,
    p_affinity_wait_s double precision default 300
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_oldest record;
    v_task public.tasks;
    v_context text;
    v_before text;
begin
    if p_token is null or p_worker_id is null or length(p_worker_id) > 200
        or p_trace_id !~ '^[0-9a-f]{32}$' or p_span_id !~ '^[0-9a-f]{16}$'
    then
        raise sqlstate '22023' using
            message = 'a claim names a token, a worker of at most 200 characters, a trace and a span';
    end if;
    -- A request that is repeated while the first one is still at work waits for it.
    perform pg_advisory_xact_lock(hashtextextended(p_token::text, 27));
    if exists (
        select 1 from public.task_events where name = 'claimed' and data ->> 'token' = p_token::text
    ) then
        return loop26.renewed_claim(p_token, p_lease_s, v_by, v_now);
    end if;
    if p_loaded_model is not null then
        select model, greatest(created_at, run_after) as waiting_since into v_oldest
        from public.tasks
        where status = 'Queued'
            and task_type = any (p_task_types)
            and (run_after is null or run_after <= v_now)
            and waits_for = '{}'
        order by created_at, seq
        limit 1;
        if
            v_oldest.model is distinct from p_loaded_model
            and v_oldest.waiting_since >= v_now - make_interval(secs => p_affinity_wait_s)
        then
            -- Bounds, where an equation would do: by that the index of all that is ready promises
            -- as much, and for a model that nobody asks for the whole queue is read.
            select * into v_task from public.tasks
            where status = 'Queued'
                and model between p_loaded_model and p_loaded_model
                and task_type = any (p_task_types)
                and (run_after is null or run_after <= v_now)
                and waits_for = '{}'
            order by model, created_at, seq
            limit 1
            for no key update skip locked;
        end if;
    end if;
    if v_task.id is null then
        select * into v_task from public.tasks
        where status = 'Queued'
            and task_type = any (p_task_types)
            and (run_after is null or run_after <= v_now)
            and waits_for = '{}'
        order by created_at, seq
        limit 1
        for no key update skip locked;
    end if;
    if v_task.id is null then
        return null;
    end if;
    -- Attempts at a task that came without a trace share the trace of the first.
    v_before := v_task.process_context;
    v_context := format(
        '00-%s-%s-01',
        coalesce(
            loop26.trace_id_of(v_task.trace_context), loop26.trace_id_of(v_before), p_trace_id
        ),
        p_span_id
    );
    update public.tasks
    set status = 'In Progress',
        attempts = coalesce(attempts, 0) + 1,
        worker_id = p_worker_id,
        claim_token = p_token,
        claimed_by = v_by,
        lease_expires_at = loop26.lease_end(p_lease_s, v_now),
        generation_started_at = v_now,
        run_after = null,
        progress = null,
        process_context = v_context,
        updated_at = v_now
    where id = v_task.id
    returning * into v_task;
    perform loop26.record_event(
        v_task.id,
        'claimed',
        jsonb_build_object(
            'attempt', v_task.attempts,
            'token', p_token,
            'worker_id', p_worker_id,
            'process_context', v_context,
            'drawn', gen_random_uuid(),
            'by', v_by
        ),
        v_now
    );
    return loop26.claim_of(v_task, v_before);
end
$$;
