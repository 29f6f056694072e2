SELECT *
FROM tasks
WHERE status = 'Complete'
    AND task_type = :task_type
    AND coalesce(model, json_extract(params, '$.model')) IS :model
ORDER BY generation_processed_at DESC, seq DESC
LIMIT 1
