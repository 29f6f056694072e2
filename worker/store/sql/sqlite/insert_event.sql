INSERT INTO events (task_id, seq, at, name, data)
VALUES (
    :task_id,
    (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE task_id = :task_id),
    :now,
    :name,
    :data
)
