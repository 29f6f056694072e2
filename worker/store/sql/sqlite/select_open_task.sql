-- One task of these types that has not ended.
SELECT id FROM tasks
WHERE (status = 'Queued' OR status = 'In Progress')
    AND task_type IN (SELECT value FROM json_each(:task_types))
LIMIT 1
