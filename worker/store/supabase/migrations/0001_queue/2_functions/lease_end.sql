-- When a lease ends that is given now.
create or replace function loop26.lease_end(p_lease_s double precision, p_now timestamptz)
returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp
as $$
select p_now + make_interval(secs => loop26.within_limits(p_lease_s, 1, lease_at_most_s))
from loop26.limits
$$;
