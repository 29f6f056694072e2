-- Bound for how long this transaction awaits locks, and holds them when nobody ends it: a PostgREST
-- that hangs, or whose machine is gone, before it commits would keep others from a task for ever.
--
-- A wait ends before the caller gives up, so that calls which are repeated do not pile up behind a
-- lock: 55P03 is told, and the call is repeated.
create or replace function loop26.bound_waiting() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('lock_timeout', '2s', true);
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
end
$$;
