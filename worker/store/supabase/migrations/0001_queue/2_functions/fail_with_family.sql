-- Fail a task because of a failure, and its family because of it; return the ids of the family.
create or replace function loop26.fail_with_family(
    p_task public.tasks, p_failure jsonb, p_facts jsonb, p_deaths integer, p_now timestamptz
) returns uuid[]
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_sentence text := coalesce(p_failure ->> 'sentence', '');
begin
    perform loop26.end_task(
        p_task.id, 'Failed', nullif(v_sentence, ''), p_failure, p_deaths, p_now
    );
    perform loop26.record_event(p_task.id, 'failed', p_facts, p_now);
    return loop26.end_family(
        p_task.id,
        p_task.id,
        'Failed',
        v_sentence,
        jsonb_build_object(
            'type', p_failure -> 'type',
            'message', p_failure -> 'message',
            'file', p_failure -> 'file',
            'line', p_failure -> 'line',
            'function', p_failure -> 'function',
            'trace_id', coalesce(
                nullif(p_failure ->> 'trace_id', ''), loop26.trace_id_of(p_task.process_context), ''
            )
        ),
        p_now
    );
end
$$;
