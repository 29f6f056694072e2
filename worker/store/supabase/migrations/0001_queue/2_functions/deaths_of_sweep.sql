-- The death at which a task fails in a sweep: as an operator says, or a worker where that is allowed.
create or replace function loop26.deaths_of_sweep(
    p_task_type text, p_max_deaths integer, p_by_type jsonb
) returns integer
language sql stable set search_path = pg_catalog, pg_temp
as $$
select case
    when loop26.is_operator() or sweep_as_asked
        then coalesce((p_by_type ->> p_task_type)::integer, p_max_deaths)
    else coalesce((max_deaths_by_type ->> p_task_type)::integer, max_deaths)
end
from loop26.limits
$$;
