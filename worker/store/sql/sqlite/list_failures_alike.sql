-- As list_failures, of one fingerprint. One line an attempt: a death that fails its task leaves two events, and the first of them counts.
SELECT
    event.task_id,
    event.at,
    event.name,
    event.data,
    task.task_type,
    task.status,
    coalesce(task.model, json_extract(task.params, '$.model')) AS model
FROM events AS event
INNER JOIN tasks AS task ON task.id = event.task_id
WHERE event.name IN ('failed', 'retried', 'died', 'worker_lost')
    AND json_extract(event.data, '$.failure.fingerprint') = :fingerprint
    AND event.at >= :since
    AND event.at < :before
    AND json_type(event.data, '$.failure') = 'object'
    AND NOT (
        event.name = 'failed'
        AND EXISTS (
            SELECT 1
            FROM events AS death
            WHERE death.task_id = event.task_id
                AND death.seq = event.seq - 1
                AND death.name IN ('died', 'worker_lost')
        )
    )
ORDER BY event.at DESC, event.task_id DESC, event.seq DESC
LIMIT :limit
