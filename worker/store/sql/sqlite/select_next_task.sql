-- The oldest task that this worker may take.
SELECT
    task.id,
    task.model,
    task.trace_context,
    task.process_context,
    max(task.created_at, coalesce(task.run_after, '')) AS waiting_since
FROM tasks AS task
WHERE task.status = 'Queued'
    AND task.task_type IN (SELECT value FROM json_each(:task_types))
    AND (task.run_after IS NULL OR task.run_after <= :now)
    AND (
        task.dependant_on = '[]'
        OR NOT EXISTS (
            SELECT 1
            FROM json_each(task.dependant_on) AS needed
            WHERE NOT EXISTS (
                SELECT 1 FROM tasks WHERE id = needed.value AND status = 'Complete'
            )
        )
    )
ORDER BY task.created_at, task.seq
LIMIT 1
