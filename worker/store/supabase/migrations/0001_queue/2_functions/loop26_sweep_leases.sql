-- Treat claims whose lease ran out as deaths, 50 at the most; return the tasks as they were before.
-- One worker at a time does it; to another that asks meanwhile there is nothing to be done.
--
-- `p_by_type` has the deaths of task types that are to have others than `p_max_deaths`. Of a worker's
-- token both are what `loop26.limits` says, and it is shown no more of tasks than it needs to close
-- their spans: they were others'.
create or replace function public.loop26_sweep_leases(
    p_max_deaths integer, p_by_type jsonb default '{}'
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_lost public.tasks;
    v_task public.tasks;
    v_failure jsonb;
    v_facts jsonb;
    v_swept jsonb := '[]';
    v_hidden constant jsonb := '{
        "params": {}, "output_location": null, "result_data": null, "error": null,
        "error_message": null, "idempotency_key": null
    }';
begin
    if not pg_try_advisory_xact_lock(hashtextextended('loop26.sweep', 28)) then
        return v_swept;
    end if;
    -- What somebody keeps locked must not keep the others from being swept, nor 50 such take long.
    perform set_config('lock_timeout', '50ms', true);
    for v_lost in
        select * from public.tasks
        where status = 'In Progress' and lease_expires_at < v_now
        order by lease_expires_at
        limit 50
    loop
        begin
            v_task := loop26.lock_family(v_lost.id);
            -- Settled or extended while this waited for it, unless another of this sweep has felled
            -- it.
            continue when v_task.claim_token is distinct from v_lost.claim_token
                and not exists (
                    select 1 from public.task_events
                    where task_id = v_task.id and name = 'cascaded' and at = v_now
                );
            continue when v_task.lease_expires_at >= v_now;
            v_failure := loop26.failure_of_lost_worker(v_lost);
            v_facts := jsonb_build_object('failure', v_failure) || loop26.facts_of_attempt(v_lost);
            perform loop26.record_event(
                v_lost.id,
                'worker_lost',
                v_facts || jsonb_build_object(
                    'lease_expires_at', v_lost.lease_expires_at,
                    'process_context', v_lost.process_context,
                    'progress', v_lost.progress,
                    'deaths', v_lost.deaths + 1
                ),
                v_now
            );
            if v_task.status = 'In Progress' then
                perform loop26.count_death(
                    v_task,
                    v_failure,
                    loop26.deaths_of_sweep(v_task.task_type, p_max_deaths, p_by_type),
                    v_facts,
                    v_now
                );
            end if;
            v_swept := v_swept || case
                when loop26.is_operator() then loop26.shown_task(v_lost)
                else loop26.shown_task(v_lost) || v_hidden
            end;
        exception when lock_not_available then
            -- Of this one nothing is done; a later sweep finds it again.
            continue;
        end;
    end loop;
    return v_swept;
end
$$;
