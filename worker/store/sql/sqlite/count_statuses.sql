SELECT status, count(*) AS count FROM tasks GROUP BY status
