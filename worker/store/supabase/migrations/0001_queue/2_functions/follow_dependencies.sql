-- Whoever changes what a task depends on, it waits for what of that is not Complete.
create or replace function loop26.follow_dependencies() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    new.dependant_on := array_remove(coalesce(new.dependant_on, '{}'), null);
    if new.status in ('Queued', 'In Progress') then
        new.waits_for := loop26.incomplete_of(new.dependant_on);
    end if;
    return new;
end
$$;
