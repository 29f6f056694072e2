-- The roles that Supabase has and a plain PostgreSQL behind a PostgREST lacks.
do $$
begin
    if to_regrole('anon') is null then
        create role anon nologin noinherit;
    end if;
    if to_regrole('authenticated') is null then
        create role authenticated nologin noinherit;
    end if;
    if to_regrole('service_role') is null then
        create role service_role nologin noinherit bypassrls;
    end if;
    if to_regrole('authenticator') is null then
        create role authenticator login noinherit;
        grant anon, authenticated, service_role to authenticator;
    end if;
end
$$;

grant usage on schema public to anon, authenticated, service_role;

-- What no address of the API leads to.
create schema if not exists loop26;
revoke all on schema loop26 from public;
