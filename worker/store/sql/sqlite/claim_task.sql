UPDATE tasks
SET status = 'In Progress',
    attempts = attempts + 1,
    worker_id = :worker_id,
    claim_token = :token,
    lease_expires_at = :lease_expires_at,
    generation_started_at = :now,
    run_after = NULL,
    progress = NULL,
    process_context = :process_context,
    updated_at = :now
WHERE id = :id
RETURNING *
