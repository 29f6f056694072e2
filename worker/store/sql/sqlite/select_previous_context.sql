-- The `process_context` of the attempt before a claim.
SELECT json_extract(data, '$.process_context') AS process_context
FROM events
WHERE task_id = :task_id AND seq < :claimed_seq AND name = 'claimed'
ORDER BY seq DESC
LIMIT 1
