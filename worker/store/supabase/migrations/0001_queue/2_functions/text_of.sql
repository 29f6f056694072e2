-- Read a text out of JSON; '' where it is none.
create or replace function loop26.text_of(p_value jsonb) returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select case when jsonb_typeof(p_value) = 'string' then p_value #>> '{}' else '' end
$$;
