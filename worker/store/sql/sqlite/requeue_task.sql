UPDATE tasks
SET status = 'Queued',
    attempts = attempts - :given_back,
    deaths = deaths + :deaths,
    run_after = :run_after,
    worker_id = NULL,
    claim_token = NULL,
    lease_expires_at = NULL,
    generation_started_at = NULL,
    progress = NULL,
    updated_at = :now
WHERE id = :id
