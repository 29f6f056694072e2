SELECT * FROM tasks
WHERE parent_id = :parent_id
    AND (:statuses = '[]' OR status IN (SELECT value FROM json_each(:statuses)))
ORDER BY seq
LIMIT :limit
