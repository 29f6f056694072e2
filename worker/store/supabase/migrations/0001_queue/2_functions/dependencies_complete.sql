-- Whether every task that one depends on is Complete.
create or replace function loop26.dependencies_complete(p_needed uuid[]) returns boolean
language sql stable set search_path = pg_catalog, pg_temp
as $$
select not exists (
    select 1 from unnest(p_needed) as needed (id)
    where not exists (
        select 1 from public.tasks where tasks.id = needed.id and tasks.status = 'Complete'
    )
)
$$;
