-- The death at which a task fails.
create or replace function loop26.deaths_limit(p_max_deaths integer) returns integer
language sql stable set search_path = pg_catalog, pg_temp
as $$
select loop26.within_limits(p_max_deaths, deaths_at_least, deaths_at_most)::integer
from loop26.limits
$$;
