SELECT seq, task_id, at, name, data
FROM events
WHERE task_id = :task_id AND seq >= :since
ORDER BY seq
