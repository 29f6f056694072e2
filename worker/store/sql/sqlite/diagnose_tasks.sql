-- Tasks that need somebody, each under every kind that it is of; see `worker.store.diagnosis`.
SELECT 'expired' AS kind, id, created_at
FROM tasks
WHERE status = 'In Progress' AND lease_expires_at < :long_ago
UNION ALL
SELECT 'without_lease', id, created_at
FROM tasks
WHERE status = 'In Progress' AND lease_expires_at IS NULL AND spawned_at IS NULL
UNION ALL
SELECT 'finished_but_waiting', id, created_at
FROM tasks AS orchestrator
WHERE status = 'In Progress'
    AND spawned_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM tasks AS child
        WHERE child.parent_id = orchestrator.id AND child.status IN ('Queued', 'In Progress')
    )
UNION ALL
SELECT 'orphans', id, created_at
FROM tasks AS task
WHERE (status = 'Queued' OR status = 'In Progress')
    AND EXISTS (
        SELECT 1
        FROM tasks AS relative
        WHERE relative.status IN ('Failed', 'Cancelled')
            AND (
                relative.id = task.parent_id
                OR relative.id IN (SELECT value FROM json_each(task.dependant_on))
            )
    )
UNION ALL
SELECT 'never_ready', id, created_at
FROM tasks AS task
WHERE status = 'Queued'
    AND EXISTS (
        SELECT 1
        FROM json_each(task.dependant_on) AS needed
        WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = needed.value)
    )
UNION ALL
SELECT 'poison', id, created_at
FROM tasks
WHERE (status = 'Queued' OR status = 'In Progress') AND deaths >= 2
ORDER BY kind, created_at
