UPDATE tasks
SET lease_expires_at = :lease_expires_at,
    progress = coalesce(:progress, progress),
    updated_at = :now
WHERE id = :id
