-- Cancel a task that has not ended, and its family; return the ids of all, its own first.
-- Repeated with the same request it answers as it did.
create or replace function public.loop26_cancel_task(
    p_id uuid, p_reason text default '', p_request uuid default null
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := loop26.now();
    v_task public.tasks;
    v_before jsonb;
    v_felled uuid[];
begin
    perform loop26.authorize_operator();
    v_task := loop26.lock_family(p_id);
    if v_task.id is null then
        return jsonb_build_object('not_found', true);
    elsif v_task.status in ('Complete', 'Failed', 'Cancelled') then
        select data -> 'ids' into v_before from public.task_events
        where task_id = p_id and name = 'cancelled' and data ->> 'request' = p_request::text;
        if found then
            return jsonb_build_object('ids', v_before);
        end if;
        return jsonb_build_object('status', v_task.status);
    end if;
    perform loop26.end_task(p_id, 'Cancelled', nullif(p_reason, ''), null, 0, v_now);
    v_felled := loop26.end_family(
        p_id,
        p_id,
        'Cancelled',
        p_reason,
        jsonb_build_object(
            'type', 'Cancelled',
            'message', p_reason,
            'file', '',
            'line', 0,
            'function', '',
            'trace_id', coalesce(
                loop26.trace_id_of(v_task.process_context),
                loop26.trace_id_of(v_task.trace_context),
                ''
            )
        ),
        v_now
    );
    perform loop26.record_event(
        p_id,
        'cancelled',
        jsonb_build_object(
            'reason', p_reason,
            'worker_id', v_task.worker_id,
            'request', p_request,
            'ids', to_jsonb(p_id || v_felled)
        ),
        v_now
    );
    return jsonb_build_object('ids', to_jsonb(p_id || v_felled));
end
$$;
