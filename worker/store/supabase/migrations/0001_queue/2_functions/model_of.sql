-- The model that a task's params name, as applications write it: a name, else a number; null where
-- they name none.
create or replace function loop26.model_of(p_params jsonb) returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select named #>> '{}'
from unnest(
    array[p_params -> 'model_name', p_params -> 'orchestrator_details' -> 'model_name']
) with ordinality as said (named, place)
where jsonb_typeof(named) in ('string', 'number')
order by jsonb_typeof(named) = 'number', place
limit 1
$$;
