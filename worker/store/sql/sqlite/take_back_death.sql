-- Of a task that has not ended, as often as it may be.
UPDATE tasks
SET deaths = deaths - 1, updated_at = :now
WHERE id = :id
    AND status IN ('Queued', 'In Progress')
    AND deaths > 0
    AND :most > (
        SELECT count(*)
        FROM events
        WHERE task_id = :id
            AND name = 'refused'
            AND json_extract(data, '$.death_taken_back')
    )
