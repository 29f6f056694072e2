-- Tasks that failed by themselves for good and were not retried since, by their own key or, as
-- children of a journey, by their parent's. Other applications may write anything into `error`.
SELECT *
FROM tasks AS task
WHERE status = 'Failed'
    AND coalesce(error_message, '') NOT GLOB 'Cascaded * from related task *'
    AND iif(json_valid(error), json_extract(error, '$.kind'), NULL) IS NOT 'cascade'
    AND NOT EXISTS (
        SELECT 1 FROM tasks WHERE idempotency_key = 'retry/' || task.id
    )
    AND NOT EXISTS (
        SELECT 1 FROM tasks WHERE idempotency_key = 'retry/' || task.parent_id
    )
ORDER BY coalesce(generation_processed_at, updated_at) DESC, seq DESC
LIMIT :limit
