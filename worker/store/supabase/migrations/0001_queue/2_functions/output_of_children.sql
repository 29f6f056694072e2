-- An orchestrator's output: its stitch's, else a JSON array of its segments' in their order.
create or replace function loop26.output_of_children(p_orchestrator_id uuid) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_order constant text := '^-?[0-9]{1,9}$';
    v_stitched text;
begin
    select output_location into v_stitched from public.tasks
    where parent_id = p_orchestrator_id and task_type = 'travel_stitch'
    order by seq desc
    limit 1;
    if found then
        return coalesce(v_stitched, '');
    end if;
    return coalesce(
        (
            select jsonb_agg(
                output_location
                order by
                    case when params ->> 'segment_index' ~ v_order
                        then (params ->> 'segment_index')::integer
                    end nulls first,
                    seq
            )
            from public.tasks
            where parent_id = p_orchestrator_id
        ),
        '[]'
    )::text;
end
$$;
