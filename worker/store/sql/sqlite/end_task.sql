-- Failed or Cancelled, by itself or with its family.
UPDATE tasks
SET status = :status,
    error_message = :error_message,
    error = :error,
    deaths = deaths + :deaths,
    claim_token = NULL,
    lease_expires_at = NULL,
    updated_at = :now
WHERE id = :id
