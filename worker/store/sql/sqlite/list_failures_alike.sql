-- As list_failures, of one fingerprint.
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
WHERE event.name IN ('failed', 'retried', 'died', 'worker_lost', 'refused')
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
    AND NOT (
        event.name = 'refused'
        AND (
            json_extract(event.data, '$.ended') IS NOT 'cascaded'
            OR json_extract(event.data, '$.call') IS 'record_death'
            OR EXISTS (
                SELECT 1
                FROM events AS before
                WHERE before.task_id = event.task_id
                    AND before.seq < event.seq
                    AND before.name = 'refused'
                    AND json_extract(before.data, '$.token') = json_extract(event.data, '$.token')
                    AND json_type(before.data, '$.failure') = 'object'
            )
        )
    )
ORDER BY event.at DESC, event.task_id DESC, event.seq DESC
LIMIT :limit
