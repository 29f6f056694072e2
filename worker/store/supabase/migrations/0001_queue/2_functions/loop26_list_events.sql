-- Read a task's history, oldest first; nothing where the caller may not read the task.
create or replace function public.loop26_list_events(p_task_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
begin
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'seq', seq, 'task_id', task_id, 'at', at, 'name', name, 'data', data - 'by'
                )
                order by seq
            ),
            '[]'
        )
        from public.task_events
        where task_id = p_task_id and loop26.may_read_task(p_task_id, v_by)
    );
end
$$;
