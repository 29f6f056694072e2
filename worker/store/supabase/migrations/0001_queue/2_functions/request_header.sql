-- A header of the HTTP request that PostgREST answers; null where there is none.
create or replace function loop26.request_header(p_name text) returns text
language sql stable set search_path = pg_catalog, pg_temp
as $$
select nullif(current_setting('request.headers', true), '')::json ->> p_name
$$;
