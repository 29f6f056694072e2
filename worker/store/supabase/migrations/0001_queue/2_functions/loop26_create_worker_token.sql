-- Keep a new worker token: its name and its sha256, in hex. The token itself never comes here. That
-- a name was kept before is told by another's hash under it: a call may be repeated.
create or replace function public.loop26_create_worker_token(
    p_name text, p_sha256 text, p_expires_at timestamptz default null
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    insert into loop26.worker_tokens (name, sha256, created_at, expires_at)
    values (p_name, decode(p_sha256, 'hex'), loop26.now(), p_expires_at)
    on conflict (name) do nothing;
    return jsonb_build_object(
        'created',
        exists (
            select 1 from loop26.worker_tokens
            where name = p_name and sha256 = decode(p_sha256, 'hex')
        )
    );
end
$$;
