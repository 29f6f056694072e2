-- What a worker gets with a claim: the task, what its dependencies left, its orchestrator's params.
create or replace function loop26.claim_of(p_task public.tasks, p_previous_context text)
returns jsonb
language sql stable set search_path = pg_catalog, pg_temp
as $$
select jsonb_build_object(
    'task', loop26.shown_task(p_task),
    'previous_context', p_previous_context,
    'parent_params', (
        select params from public.tasks
        where id = coalesce(
            p_task.parent_id, loop26.uuid_of(p_task.params ->> 'orchestrator_task_id_ref')
        )
    ),
    'dependencies', (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', task.id,
                    'task_type', task.task_type,
                    'params', task.params,
                    'output_location', task.output_location
                )
                order by place
            ),
            '[]'
        )
        from unnest(p_task.dependant_on) with ordinality as needed (id, place)
        join public.tasks as task on task.id = needed.id
    )
)
$$;
