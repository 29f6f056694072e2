-- List the worker tokens by name: when each was made, used, revoked and expires.
create or replace function public.loop26_list_worker_tokens() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    return (
        select coalesce(jsonb_agg(to_jsonb(token) - 'sha256' order by name), '[]')
        from loop26.worker_tokens as token
    );
end
$$;
