-- Whom a task's failure or cancellation takes with it: its orchestrator, that one's children,
-- whatever depends on one of them, and so on; none that has ended.
WITH RECURSIVE family (id) AS (
    VALUES (:id)
    UNION
    SELECT parent.id
    FROM family
    JOIN tasks AS child ON child.id = family.id
    JOIN tasks AS parent ON parent.id = child.parent_id
    WHERE parent.status IN ('Queued', 'In Progress')
    UNION
    SELECT child.id
    FROM family
    JOIN tasks AS child ON child.parent_id = family.id
    WHERE child.status IN ('Queued', 'In Progress')
    UNION
    SELECT dependant.id
    FROM family
    JOIN dependencies ON dependencies.depends_on = family.id
    JOIN tasks AS dependant ON dependant.id = dependencies.task_id
    WHERE dependant.status IN ('Queued', 'In Progress')
)
SELECT task.id, task.worker_id
FROM family
JOIN tasks AS task ON task.id = family.id
WHERE task.id <> :id
ORDER BY task.seq
