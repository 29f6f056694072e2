-- Give a task back to the queue.
create or replace function loop26.requeue_task(
    p_task_id uuid,
    p_given_back boolean,
    p_deaths integer,
    p_run_after timestamptz,
    p_now timestamptz
) returns void
language sql volatile set search_path = pg_catalog, pg_temp
as $$
update public.tasks
set status = 'Queued',
    attempts = attempts - p_given_back::integer,
    deaths = deaths + p_deaths,
    run_after = p_run_after,
    worker_id = null,
    claim_token = null,
    claimed_by = null,
    lease_expires_at = null,
    generation_started_at = null,
    progress = null,
    updated_at = p_now
where id = p_task_id
$$;
