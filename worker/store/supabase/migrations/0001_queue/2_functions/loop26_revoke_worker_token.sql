-- Revoke a worker token from now on; says whether there is one of this name.
create or replace function public.loop26_revoke_worker_token(p_name text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    update loop26.worker_tokens set revoked_at = coalesce(revoked_at, loop26.now())
    where name = p_name;
    return found;
end
$$;
