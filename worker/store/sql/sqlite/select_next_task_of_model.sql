-- The oldest task of one model that this worker may take.
SELECT id, trace_context, process_context
FROM ready_tasks
WHERE model = :model
    AND task_type IN (SELECT value FROM json_each(:task_types))
    AND (run_after IS NULL OR run_after <= :now)
ORDER BY created_at, seq
LIMIT 1
