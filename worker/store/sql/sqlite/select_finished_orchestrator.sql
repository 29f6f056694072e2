-- This orchestrator, if it waits for its children and every one of them is Complete.
SELECT id, parent_id, result_data
FROM tasks
WHERE id = :id
    AND status = 'In Progress'
    AND spawned_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM tasks AS child WHERE child.parent_id = :id AND child.status <> 'Complete'
    )
