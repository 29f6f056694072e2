-- End an orchestrator that has just begun to wait, if its children have ended already.
create or replace function loop26.settle_waiting(p_orchestrator_id uuid, p_now timestamptz)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_child public.tasks;
    v_root public.tasks;
    v_message text;
begin
    select * into v_child from public.tasks
    where parent_id = p_orchestrator_id and status in ('Failed', 'Cancelled')
    order by seq
    limit 1;
    if not found then
        perform loop26.complete_if_finished(p_orchestrator_id, null, p_now);
        return;
    end if;
    v_root := loop26.first_to_end(v_child);
    v_message := coalesce(v_root.error_message, '');
    perform loop26.end_family(
        v_child.id,
        v_root.id,
        v_root.status::text,
        v_message,
        jsonb_build_object(
            'type', coalesce(
                nullif(loop26.text_of(v_root.error -> 'type'), ''), v_root.status::text
            ),
            'message', coalesce(nullif(loop26.text_of(v_root.error -> 'message'), ''), v_message),
            'file', loop26.text_of(v_root.error -> 'file'),
            'line', loop26.count_of(v_root.error -> 'line'),
            'function', loop26.text_of(v_root.error -> 'function'),
            'trace_id', loop26.text_of(v_root.error -> 'trace_id')
        ),
        p_now
    );
end
$$;
