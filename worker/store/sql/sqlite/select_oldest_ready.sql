-- The oldest task that waits for a worker alone.
SELECT created_at FROM ready_tasks
WHERE run_after IS NULL OR run_after <= :now
ORDER BY created_at, seq
LIMIT 1
