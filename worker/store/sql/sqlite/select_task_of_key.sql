SELECT id, parent_id FROM tasks WHERE idempotency_key = :idempotency_key
