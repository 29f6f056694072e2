-- Whoever completes a task, those that waited for it wait for it no more.
create or replace function loop26.release_dependants() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update public.tasks set waits_for = array_remove(waits_for, new.id)
    where dependant_on @> array[new.id] and status in ('Queued', 'In Progress');
    return new;
end
$$;
