-- Whether the caller has the whole database in hand anyway: the service role, or a session of its
-- own that did not come through the API. `role` is who called, whatever function is being run.
create or replace function loop26.is_operator() returns boolean
language sql stable set search_path = pg_catalog, pg_temp
as $$
select case current_setting('role', true)
    when 'service_role' then true
    when 'none' then session_user <> 'authenticator'
    else false
end
$$;
