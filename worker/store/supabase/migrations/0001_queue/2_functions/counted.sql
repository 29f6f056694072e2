-- How many ids there are, and the first of them.
create or replace function loop26.counted(p_ids uuid[]) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select jsonb_build_object('count', cardinality(p_ids), 'ids', to_jsonb(p_ids[:20]))
$$;
