-- End whoever is related to a task that has failed or was cancelled: its orchestrator, that one's
-- children, whatever depends on one of them, and their families. Returns their ids.
--
-- `p_cause` is the root cause but for the task's id. A task at a time is locked, and its relatives
-- are looked for after that: one that is inserted meanwhile is seen, or sees that it comes too late.
create or replace function loop26.end_family(
    p_member_id uuid,
    p_root_id uuid,
    p_status text,
    p_sentence text,
    p_cause jsonb,
    p_now timestamptz
) returns uuid[]
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_message text := format('Cascaded %s from related task %s', lower(p_status), p_root_id)
        || coalesce(': ' || nullif(p_sentence, ''), '');
    v_root_cause jsonb := jsonb_build_object('task_id', p_root_id) || p_cause;
    v_error jsonb := jsonb_build_object(
        'kind', 'cascade',
        'type', p_cause -> 'type',
        'message', v_message,
        'root_cause', v_root_cause
    );
    v_around uuid[] := array[p_member_id];
    v_related uuid[];
    v_next uuid[];
    v_felled uuid[] := '{}';
    v_relative public.tasks;
begin
    while v_around <> '{}' loop
        v_next := '{}';
        -- Each part by an index of its own.
        v_related := array(
            select parent_id from public.tasks where id = any (v_around)
            union
            select id from public.tasks where parent_id = any (v_around)
            union
            select id from public.tasks
            where dependant_on && v_around and status in ('Queued', 'In Progress')
        );
        for v_relative in
            select * from public.tasks
            where id = any (v_related)
                and status in ('Queued', 'In Progress')
                and id <> p_root_id
            order by seq
            for no key update
        loop
            perform loop26.end_task(v_relative.id, p_status, v_message, v_error, 0, p_now);
            perform loop26.record_event(
                v_relative.id,
                'cascaded',
                jsonb_build_object(
                    'status', p_status,
                    'root_cause', v_root_cause,
                    'worker_id', v_relative.worker_id
                ),
                p_now
            );
            v_next := v_next || v_relative.id;
        end loop;
        v_felled := v_felled || v_next;
        v_around := v_next;
    end loop;
    return v_felled;
end
$$;
