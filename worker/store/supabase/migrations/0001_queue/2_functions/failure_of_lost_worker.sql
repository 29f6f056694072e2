-- The failure of an attempt whose worker fell silent.
create or replace function loop26.failure_of_lost_worker(p_task public.tasks) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp
as $$
select jsonb_build_object(
    'kind', 'death',
    'type', 'WorkerLost',
    'message', format(
        'worker %s fell silent: its lease ran out at %s and was not extended',
        p_task.worker_id,
        to_jsonb(p_task.lease_expires_at) #>> '{}'
    ),
    'sentence', 'The worker that ran this task was lost.',
    'file', '',
    'line', 0,
    'function', '',
    'place', '',
    'stage', loop26.text_of(p_task.progress -> 'stage'),
    'loop_index', 0,
    'loop_count', 0,
    'fingerprint', '',
    'trace_id', coalesce(loop26.trace_id_of(p_task.process_context), ''),
    'span_id', coalesce(loop26.span_id_of(p_task.process_context), ''),
    'event_id', '',
    'expression', '',
    'caused_by', '{}'::jsonb,
    'retryable', false,
    'signal', '',
    'exit_code', null,
    'last_words', '[]'::jsonb,
    'release', '',
    'record', '{}'::jsonb,
    'links', '{}'::jsonb,
    'own_file', '',
    'own_line', 0,
    'own_function', ''
)
$$;
