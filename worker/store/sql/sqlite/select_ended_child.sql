-- A child that failed or was cancelled before its orchestrator began to wait for it.
SELECT * FROM tasks
WHERE parent_id = :id AND status IN ('Failed', 'Cancelled')
ORDER BY seq
LIMIT 1
