SELECT * FROM tasks
WHERE :statuses = '[]' OR status IN (SELECT value FROM json_each(:statuses))
ORDER BY seq DESC
LIMIT :limit
