INSERT INTO workers (id, status, last_heartbeat, current_model, metadata, created_at)
VALUES (:id, :status, :now, :current_model, :metadata, :now)
ON CONFLICT (id) DO UPDATE
SET status = excluded.status,
    last_heartbeat = excluded.last_heartbeat,
    current_model = excluded.current_model,
    metadata = excluded.metadata
