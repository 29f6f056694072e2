-- How many tasks of each type are queued, how many of them wait for a worker alone, and since when
-- the oldest of those does.
WITH ready AS (
    SELECT task_type, count(*) AS count, min(waiting_since) AS since
    FROM (
        SELECT task_type, waiting_since FROM ready_tasks
        WHERE (run_after IS NULL OR run_after <= :now)
            AND task_type IN (SELECT value FROM json_each(:task_types))
        ORDER BY created_at
        LIMIT :most
    )
    GROUP BY task_type
),
queued AS (
    SELECT task_type, count(*) AS count
    FROM (
        SELECT task_type FROM tasks
        WHERE status = 'Queued' AND task_type IN (SELECT value FROM json_each(:task_types))
        ORDER BY created_at
        LIMIT :most
    )
    GROUP BY task_type
)
SELECT
    queued.task_type,
    coalesce(ready.count, 0) AS ready,
    max(0, queued.count - coalesce(ready.count, 0)) AS held,
    ready.since
FROM queued
LEFT JOIN ready USING (task_type)
