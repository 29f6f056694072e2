-- Read a number of something out of JSON; 0 where it is none.
create or replace function loop26.count_of(p_value jsonb) returns bigint
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select case
    when jsonb_typeof(p_value) = 'number' and p_value #>> '{}' ~ '^[0-9]{1,15}$'
        then (p_value #>> '{}')::bigint
    else 0
end
$$;
