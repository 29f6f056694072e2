-- Schema version 4: what is not there yet is made, so an upgrade runs this too. Times are UTC,
-- ISO 8601 with microseconds, and so sort as text.

CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What applications rely on.
    id TEXT NOT NULL UNIQUE CHECK (
        length(id) = 36 AND length(replace(id, '-', '')) = 32 AND id NOT GLOB '*[^0-9a-f-]*'
    ),
    task_type TEXT NOT NULL,
    params TEXT NOT NULL CHECK (json_valid(params) AND json_type(params) = 'object'),
    status TEXT NOT NULL DEFAULT 'Queued' CHECK (
        status IN ('Queued', 'In Progress', 'Complete', 'Failed', 'Cancelled')
    ),
    dependant_on TEXT NOT NULL DEFAULT '[]' CHECK (
        json_valid(dependant_on) AND json_type(dependant_on) = 'array'
    ),
    output_location TEXT,
    error_message TEXT,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    worker_id TEXT,
    project_id TEXT CHECK (
        length(project_id) = 36 AND length(replace(project_id, '-', '')) = 32
        AND project_id NOT GLOB '*[^0-9a-f-]*'
    ),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')) CHECK (
        created_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T*:*:*.[0-9][0-9][0-9][0-9][0-9][0-9]+00:00'
        AND julianday(created_at) IS NOT NULL
    ),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')),
    generation_started_at TEXT,
    generation_processed_at TEXT,
    result_data TEXT,
    idempotency_key TEXT UNIQUE,
    -- What the worker adds.
    parent_id TEXT CHECK (
        length(parent_id) = 36 AND length(replace(parent_id, '-', '')) = 32
        AND parent_id NOT GLOB '*[^0-9a-f-]*'
    ),
    error TEXT,
    deaths INTEGER NOT NULL DEFAULT 0 CHECK (deaths >= 0),
    claim_token TEXT,
    lease_expires_at TEXT,
    run_after TEXT,
    spawned_at TEXT,
    trace_context TEXT,
    process_context TEXT,
    progress TEXT,
    model TEXT
) STRICT;

-- Finished rows are in neither of the first two, so any number of them costs a claim nothing. The
-- first holds running tasks too: a task that is claimed moves to the place beside it.
CREATE INDEX IF NOT EXISTS tasks_open ON tasks (status, created_at)
WHERE status = 'Queued' OR status = 'In Progress';
CREATE INDEX IF NOT EXISTS tasks_queued_of_model ON tasks (model, created_at)
WHERE status = 'Queued' AND model IS NOT NULL;
-- The last that went well, of a type and a model.
CREATE INDEX IF NOT EXISTS tasks_complete
ON tasks (task_type, coalesce(model, json_extract(params, '$.model')), generation_processed_at)
WHERE status = 'Complete';
-- What failed last.
CREATE INDEX IF NOT EXISTS tasks_failed ON tasks (coalesce(generation_processed_at, updated_at), seq)
WHERE status = 'Failed';
CREATE INDEX IF NOT EXISTS tasks_of_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;

-- Tasks that wait for nothing but a worker and their `run_after`.
CREATE VIEW IF NOT EXISTS ready_tasks AS
SELECT *, max(created_at, coalesce(run_after, '')) AS waiting_since
FROM tasks AS task
WHERE status = 'Queued'
    AND (
        dependant_on = '[]'
        OR NOT EXISTS (
            SELECT 1
            FROM json_each(task.dependant_on) AS needed
            WHERE NOT EXISTS (
                SELECT 1 FROM tasks WHERE id = needed.value AND status = 'Complete'
            )
        )
    );

-- tasks.dependant_on read backwards, for cascades.
CREATE TABLE IF NOT EXISTS dependencies (
    depends_on TEXT NOT NULL,
    task_id TEXT NOT NULL,
    PRIMARY KEY (depends_on, task_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workers (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    last_heartbeat TEXT NOT NULL,
    current_model TEXT,
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at TEXT NOT NULL
) STRICT;

-- `seq` counts a task's events from 1.
CREATE TABLE IF NOT EXISTS events (
    task_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data)),
    PRIMARY KEY (task_id, seq)
) STRICT, WITHOUT ROWID;

-- A token that owned a task once never gets another; what came after its event says how it ended.
CREATE UNIQUE INDEX IF NOT EXISTS events_of_token ON events (json_extract(data, '$.token'))
WHERE name = 'claimed';

-- What failed, when: few among many.
CREATE INDEX IF NOT EXISTS events_of_failures ON events (at)
WHERE name IN ('failed', 'retried', 'died', 'worker_lost', 'refused');
CREATE INDEX IF NOT EXISTS events_of_fingerprint
ON events (json_extract(data, '$.failure.fingerprint'), at)
WHERE name IN ('failed', 'retried', 'died', 'worker_lost', 'refused');

-- One line an attempt that failed: a death that fails its task leaves two events, and the first of them
-- counts. What was refused counts where the task had fallen with another, but for deaths: its
-- supervisor may have ended a task process that went on.
CREATE VIEW IF NOT EXISTS failed_attempts AS
SELECT
    event.task_id,
    event.seq,
    event.at,
    event.name,
    event.data,
    task.task_type,
    task.status,
    coalesce(task.model, json_extract(task.params, '$.model')) AS model
FROM events AS event
INNER JOIN tasks AS task ON task.id = event.task_id
WHERE event.name IN ('failed', 'retried', 'died', 'worker_lost', 'refused')
    AND json_type(event.data, '$.failure') = 'object'
    AND NOT (
        event.name = 'failed'
        AND EXISTS (
            SELECT 1
            FROM events AS death
            WHERE death.task_id = event.task_id
                AND death.seq = event.seq - 1
                AND death.name IN ('died', 'worker_lost')
        )
    )
    AND NOT (
        event.name = 'refused'
        AND (
            json_extract(event.data, '$.ended') IS NOT 'cascaded'
            OR json_extract(event.data, '$.call') IS 'record_death'
            OR EXISTS (
                SELECT 1
                FROM events AS before
                WHERE before.task_id = event.task_id
                    AND before.seq < event.seq
                    AND before.name = 'refused'
                    AND json_extract(before.data, '$.token') = json_extract(event.data, '$.token')
                    AND json_type(before.data, '$.failure') = 'object'
            )
        )
    );

CREATE TRIGGER IF NOT EXISTS events_are_kept_as_written BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER IF NOT EXISTS events_are_kept BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER IF NOT EXISTS tasks_follow_the_transitions BEFORE UPDATE OF status ON tasks
WHEN NOT (
    new.status = old.status
    OR (old.status = 'Queued' AND new.status IN ('In Progress', 'Failed', 'Cancelled'))
    OR (
        old.status = 'In Progress'
        AND new.status IN ('Complete', 'Failed', 'Cancelled', 'Queued')
    )
)
BEGIN
    SELECT RAISE(ABORT, 'illegal transition of a task''s status');
END;

-- What LocalStore.insert says more kindly; here for rows that other applications insert.
CREATE TRIGGER IF NOT EXISTS tasks_name_dependencies BEFORE INSERT ON tasks
WHEN new.dependant_on <> '[]' AND EXISTS (
    SELECT 1 FROM json_each(new.dependant_on)
    WHERE type <> 'text' OR length(value) <> 36 OR value GLOB '*[^0-9a-f-]*'
)
BEGIN
    SELECT RAISE(ABORT, 'dependant_on is not a list of task ids');
END;

CREATE TRIGGER IF NOT EXISTS tasks_join_no_ended_family AFTER INSERT ON tasks
WHEN new.status = 'Queued' AND EXISTS (
    SELECT 1 FROM tasks AS parent
    WHERE parent.status IN ('Complete', 'Failed', 'Cancelled')
        AND parent.id = coalesce(
            new.parent_id,
            iif(
                new.task_type IN ('travel_segment', 'travel_stitch'),
                json_extract(new.params, '$.orchestrator_task_id_ref'),
                NULL
            )
        )
)
BEGIN
    SELECT RAISE(ABORT, 'the task''s orchestrator has ended');
END;

CREATE TRIGGER IF NOT EXISTS tasks_have_history AFTER INSERT ON tasks
BEGIN
    INSERT INTO events (task_id, seq, at, name, data)
    VALUES (
        new.id,
        (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE task_id = new.id),
        new.created_at,
        'inserted',
        json_object('task_type', new.task_type)
    );
END;

CREATE TRIGGER IF NOT EXISTS tasks_have_dependants AFTER INSERT ON tasks
WHEN new.dependant_on <> '[]'
BEGIN
    INSERT OR IGNORE INTO dependencies (depends_on, task_id)
    SELECT value, new.id FROM json_each(new.dependant_on);
END;

CREATE TRIGGER IF NOT EXISTS tasks_change_dependants AFTER UPDATE OF dependant_on ON tasks
BEGIN
    DELETE FROM dependencies WHERE task_id = old.id;
    INSERT OR IGNORE INTO dependencies (depends_on, task_id)
    SELECT value, new.id FROM json_each(new.dependant_on);
END;

-- Applications name a segment's orchestrator and a task's model in the params alone.
CREATE TRIGGER IF NOT EXISTS tasks_say_their_parent AFTER INSERT ON tasks
WHEN new.parent_id IS NULL
    AND new.task_type IN ('travel_segment', 'travel_stitch')
    AND json_type(new.params, '$.orchestrator_task_id_ref') = 'text'
    AND json_extract(new.params, '$.orchestrator_task_id_ref')
        GLOB '????????-????-????-????-????????????'
    AND json_extract(new.params, '$.orchestrator_task_id_ref') NOT GLOB '*[^0-9a-f-]*'
BEGIN
    UPDATE tasks SET parent_id = json_extract(new.params, '$.orchestrator_task_id_ref')
    WHERE seq = new.seq;
END;

CREATE TRIGGER IF NOT EXISTS tasks_say_their_model AFTER INSERT ON tasks
WHEN new.model IS NULL AND coalesce(
    json_extract(new.params, '$.model_name'),
    json_extract(new.params, '$.orchestrator_details.model_name')
) IS NOT NULL
BEGIN
    UPDATE tasks
    SET model = coalesce(
        json_extract(new.params, '$.model_name'),
        json_extract(new.params, '$.orchestrator_details.model_name')
    )
    WHERE seq = new.seq;
END;
