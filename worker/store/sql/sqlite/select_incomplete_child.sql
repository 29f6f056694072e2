-- A child that keeps its orchestrator from being complete; a task of another type waits for nobody.
SELECT child.id, child.status FROM tasks AS child
JOIN tasks AS parent ON parent.id = child.parent_id
WHERE parent.id = :id AND parent.task_type = 'travel_orchestrator' AND child.status <> 'Complete'
ORDER BY child.seq
LIMIT 1
