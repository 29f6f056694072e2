-- Tasks that are Failed though nothing in their history says so: another application set them to it.
SELECT *
FROM tasks AS task
WHERE status = 'Failed'
    AND NOT EXISTS (
        SELECT 1
        FROM events AS event
        WHERE event.task_id = task.id
            AND event.name IN ('failed', 'cascaded')
    )
ORDER BY coalesce(generation_processed_at, updated_at) DESC, seq DESC
LIMIT :limit
