SELECT * FROM tasks
WHERE status = 'In Progress' AND lease_expires_at < :now
ORDER BY lease_expires_at
