-- What gives way to its successor in `create_schema`; older versions may lack it.
DROP INDEX IF EXISTS events_of_failures;
DROP INDEX IF EXISTS events_of_fingerprint;
