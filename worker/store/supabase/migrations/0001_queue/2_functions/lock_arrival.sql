-- Part those who wait for a task that is not there yet from whoever inserts one Complete: who comes
-- second sees what the first has done. One lock, so that many rows in one transaction take one.
create or replace function loop26.lock_arrival(p_waits boolean) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    if p_waits then
        perform pg_advisory_xact_lock(hashtextextended('loop26.arrival', 30));
    else
        perform pg_advisory_xact_lock_shared(hashtextextended('loop26.arrival', 30));
    end if;
end
$$;
