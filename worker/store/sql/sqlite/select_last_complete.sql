-- The last that ended before a moment.
SELECT *
FROM tasks
WHERE status = 'Complete'
    AND task_type = :task_type
    AND coalesce(model, json_extract(params, '$.model')) IS :model
    AND generation_processed_at < :before
ORDER BY generation_processed_at DESC, seq DESC
LIMIT 1
