-- What a worker asks first: whether this is the queue that it knows, and who it is to it.
create or replace function public.loop26_queue_facts() returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
begin
    return jsonb_build_object(
        'schema_version', (select max(version) from loop26.migrations),
        'now', loop26.now(),
        'operator', loop26.is_operator(),
        'token', v_by,
        'token_expires_at', (select expires_at from loop26.worker_tokens where name = v_by)
    );
end
$$;
