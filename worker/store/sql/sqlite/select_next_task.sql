-- The oldest task that this worker may take; none for a token that has taken one before.
SELECT id, model, trace_context, process_context, waiting_since
FROM ready_tasks
WHERE task_type IN (SELECT value FROM json_each(:task_types))
    AND (run_after IS NULL OR run_after <= :now)
    AND NOT EXISTS (
        SELECT 1 FROM events WHERE name = 'claimed' AND json_extract(data, '$.token') = :token
    )
ORDER BY created_at, seq
LIMIT 1
