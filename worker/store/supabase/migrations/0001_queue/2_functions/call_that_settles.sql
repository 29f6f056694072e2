-- The call that settles a claim with this event; null for any other event.
create or replace function loop26.call_that_settles(p_event text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select case p_event
    when 'completed' then 'complete'
    when 'spawned' then 'spawn'
    when 'failed' then 'fail'
    when 'released' then 'release'
    when 'retried' then 'release'
    when 'died' then 'record_death'
end
$$;
