-- Who waits for whom, from the given tasks on: a task for its dependencies, an orchestrator for
-- its children.
WITH RECURSIVE reached (id) AS (
    SELECT value FROM json_each(:ids)
    UNION
    SELECT needed.value
    FROM reached
    JOIN tasks AS task ON task.id = reached.id AND task.status <> 'Complete'
    JOIN json_each(task.dependant_on) AS needed
    UNION
    SELECT child.id
    FROM reached
    JOIN tasks AS child ON child.parent_id = reached.id AND child.status <> 'Complete'
)
SELECT task.id AS waiting, needed.value AS needed
FROM reached
JOIN tasks AS task ON task.id = reached.id
JOIN json_each(task.dependant_on) AS needed
UNION
SELECT reached.id, child.id
FROM reached
JOIN tasks AS child ON child.parent_id = reached.id
