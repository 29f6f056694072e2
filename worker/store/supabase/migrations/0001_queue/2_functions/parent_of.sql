-- The orchestrator of a new task: named as its parent, or by a child's params alone. An
-- individual_travel_segment names the journey that it was taken from; it is no child of it.
create or replace function loop26.parent_of(p_parent_id uuid, p_task_type text, p_params jsonb)
returns uuid
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select coalesce(
    p_parent_id,
    case when p_task_type in ('travel_segment', 'travel_stitch')
        then loop26.uuid_of(p_params ->> 'orchestrator_task_id_ref')
    end
)
$$;
