-- The clock of the queue: every time and lease is by it.
create or replace function loop26.now() returns timestamptz
language sql volatile set search_path = pg_catalog, pg_temp
as $$ select clock_timestamp() $$;
