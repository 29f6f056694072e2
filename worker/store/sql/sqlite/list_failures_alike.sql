-- As list_failures, of one fingerprint.
SELECT task_id, at, name, data, task_type, status, model
FROM failed_attempts
WHERE json_extract(data, '$.failure.fingerprint') = :fingerprint
    AND at >= :since AND at < :before
ORDER BY at DESC, task_id DESC, seq DESC
LIMIT :limit
