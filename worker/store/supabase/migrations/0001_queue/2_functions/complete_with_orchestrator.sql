-- Complete a task, and its orchestrator when it was the last that this one waited for.
create or replace function loop26.complete_with_orchestrator(
    p_task public.tasks, p_output_location text, p_result jsonb, p_facts jsonb, p_now timestamptz
) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    update public.tasks
    set status = 'Complete',
        output_location = p_output_location,
        result_data = p_result,
        error_message = null,
        error = null,
        generation_processed_at = p_now,
        claim_token = null,
        claimed_by = null,
        lease_expires_at = null,
        updated_at = p_now
    where id = p_task.id;
    perform loop26.record_event(
        p_task.id,
        'completed',
        jsonb_build_object('output_location', p_output_location) || p_facts,
        p_now
    );
    if p_task.parent_id is not null then
        perform loop26.complete_if_finished(p_task.parent_id, p_task.id, p_now);
    end if;
end
$$;
