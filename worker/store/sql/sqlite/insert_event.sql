INSERT INTO events (task_id, at, name, data) VALUES (:task_id, :now, :name, :data)
