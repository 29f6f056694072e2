-- What every event of an attempt says of it.
create or replace function loop26.facts_of_attempt(p_task public.tasks) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp
as $$
select jsonb_build_object(
    'worker_id', p_task.worker_id, 'attempt', p_task.attempts, 'token', p_task.claim_token
)
$$;
