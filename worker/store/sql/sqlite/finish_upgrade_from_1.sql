-- Claims are told by their events; only a death did not say there what became of the task.
INSERT INTO events (task_id, seq, at, name, data)
SELECT
    event.task_id,
    row_number() OVER (PARTITION BY event.task_id ORDER BY event.seq),
    event.at,
    event.name,
    iif(event.name = 'died', json_set(event.data, '$.status', claim.status), event.data)
FROM events_of_version_1 AS event
LEFT JOIN claims AS claim
    ON event.name = 'died' AND claim.token = json_extract(event.data, '$.token');
DROP TABLE events_of_version_1;
DROP TABLE claims;
