-- The span id in a traceparent; null where it is not a valid one.
create or replace function loop26.span_id_of(p_context text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select split_part(p_context, '-', 3) where loop26.trace_id_of(p_context) is not null
$$;
