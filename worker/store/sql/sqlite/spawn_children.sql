-- The orchestrator waits for its children, without a lease.
UPDATE tasks
SET spawned_at = :now,
    result_data = :result_data,
    claim_token = NULL,
    lease_expires_at = NULL,
    updated_at = :now
WHERE id = :id
