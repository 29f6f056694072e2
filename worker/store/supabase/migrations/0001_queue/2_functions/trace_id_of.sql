-- The trace id in a traceparent; null where it is not a valid one.
create or replace function loop26.trace_id_of(p_context text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts text[] := regexp_match(
        p_context, '^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$'
    );
begin
    if v_parts[1] = repeat('0', 32) or v_parts[2] = repeat('0', 16) then
        return null;
    end if;
    return v_parts[1];
end
$$;
