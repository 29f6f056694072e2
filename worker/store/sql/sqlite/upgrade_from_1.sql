-- What gives way to its successor in `create_schema`.
DROP TRIGGER tasks_have_history;
DROP TRIGGER events_are_kept;
DROP TRIGGER events_are_kept_as_written;
DROP INDEX tasks_queued;
DROP INDEX tasks_leased;
ALTER TABLE events RENAME TO events_of_version_1;
