-- The claim that a token is: what its task is now, and where in the task's history it began; `owner`
-- is 1 while the token owns the task.
SELECT
    task.id,
    task.parent_id,
    task.status,
    task.attempts,
    task.deaths,
    task.worker_id,
    task.claim_token,
    task.process_context,
    task.error_message,
    claimed.seq AS claimed_seq,
    task.claim_token IS :token AND task.status = 'In Progress' AS owner
FROM events AS claimed
JOIN tasks AS task ON task.id = claimed.task_id
WHERE claimed.name = 'claimed' AND json_extract(claimed.data, '$.token') = :token
