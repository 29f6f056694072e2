-- A queue of schema version 1 as the code of that version left it: tasks in every status, and claims
-- settled in every way. Its ids and tokens are small numbers. Not to be edited.
BEGIN TRANSACTION;
CREATE TABLE claims (
    token TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    claimed_at TEXT NOT NULL,
    process_context TEXT NOT NULL,
    previous_context TEXT,
    -- The call that settled it, or 'swept', 'cancelled', 'cascaded'; null while it owns the task.
    settled TEXT,
    settled_at TEXT,
    reason TEXT,
    -- The status that the task had then.
    status TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000101','00000000-0000-0000-0000-000000000001','worker-1',1,'2026-02-02T02:40:01.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000101-01',NULL,'complete','2026-02-02T02:40:01.000000+00:00',NULL,'Complete');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000201','00000000-0000-0000-0000-000000000002','worker-1',1,'2026-02-02T02:40:02.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000201-01',NULL,'release','2026-02-02T02:40:02.000000+00:00',NULL,'Queued');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000202','00000000-0000-0000-0000-000000000002','worker-1',1,'2026-02-02T02:40:03.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000202-01','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000201-01',NULL,NULL,NULL,NULL);
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000301','00000000-0000-0000-0000-000000000003','worker-1',1,'2026-02-02T02:40:04.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000301-01',NULL,'record_death','2026-02-02T02:40:04.000000+00:00',NULL,'Queued');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000302','00000000-0000-0000-0000-000000000003','worker-1',2,'2026-02-02T02:40:05.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000302-01','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000301-01','record_death','2026-02-02T02:40:05.000000+00:00',NULL,'Failed');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000400','00000000-0000-0000-0000-000000000071','worker-1',1,'2026-02-02T02:40:11.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000400-01',NULL,'swept','2026-02-02T02:41:13.000000+00:00','its lease expired at 2026-02-02T02:41:11.000000+00:00 and the task was taken back','Queued');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000401','00000000-0000-0000-0000-000000000004','worker-1',1,'2026-02-02T02:40:12.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000401-01',NULL,'swept','2026-02-02T02:41:13.000000+00:00','its lease expired at 2026-02-02T02:41:12.000000+00:00 and the task was taken back','Queued');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000501','00000000-0000-0000-0000-000000000005','worker-1',1,'2026-02-02T02:40:06.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000501-01',NULL,'cancelled','2026-02-02T02:40:06.000000+00:00','the task was cancelled: enough','Cancelled');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000601','00000000-0000-0000-0000-000000000006','worker-1',1,'2026-02-02T02:40:07.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000601-01',NULL,'spawn','2026-02-02T02:40:07.000000+00:00',NULL,'In Progress');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000602','00000000-0000-0000-0000-000000000061','worker-1',1,'2026-02-02T02:40:08.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000602-01',NULL,'fail','2026-02-02T02:40:09.000000+00:00',NULL,'Failed');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000603','00000000-0000-0000-0000-000000000062','worker-1',1,'2026-02-02T02:40:09.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000603-01',NULL,'cascaded','2026-02-02T02:40:09.000000+00:00','Cascaded failed from related task 00000000-0000-0000-0000-000000000061: It broke.','Failed');
INSERT INTO "claims" VALUES('00000000-0000-0000-0000-000000000701','00000000-0000-0000-0000-000000000007','worker-1',1,'2026-02-02T02:40:10.000000+00:00','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000701-01',NULL,'spawn','2026-02-02T02:40:10.000000+00:00',NULL,'In Progress');
CREATE TABLE dependencies (
    depends_on TEXT NOT NULL,
    task_id TEXT NOT NULL,
    PRIMARY KEY (depends_on, task_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "dependencies" VALUES('00000000-0000-0000-0000-000000000004','00000000-0000-0000-0000-000000000008');
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL,
    at TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
INSERT INTO "events" VALUES(1,'00000000-0000-0000-0000-000000000001','2026-02-02T02:40:00.000000+00:00','inserted','{"task_type":"t2v"}');
INSERT INTO "events" VALUES(2,'00000000-0000-0000-0000-000000000001','2026-02-02T02:40:01.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000101","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000101-01"}');
INSERT INTO "events" VALUES(3,'00000000-0000-0000-0000-000000000001','2026-02-02T02:40:01.000000+00:00','started','{"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000101"}');
INSERT INTO "events" VALUES(4,'00000000-0000-0000-0000-000000000001','2026-02-02T02:40:01.000000+00:00','completed','{"output_location":"1.mp4","worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000101"}');
INSERT INTO "events" VALUES(5,'00000000-0000-0000-0000-000000000002','2026-02-02T02:40:01.000000+00:00','inserted','{"task_type":"t2v"}');
INSERT INTO "events" VALUES(6,'00000000-0000-0000-0000-000000000002','2026-02-02T02:40:02.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000201","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000201-01"}');
INSERT INTO "events" VALUES(7,'00000000-0000-0000-0000-000000000002','2026-02-02T02:40:02.000000+00:00','released','{"reason":"drain","delay_s":0.0,"failure":null,"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000201"}');
INSERT INTO "events" VALUES(8,'00000000-0000-0000-0000-000000000002','2026-02-02T02:40:03.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000202","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000202-01"}');
INSERT INTO "events" VALUES(9,'00000000-0000-0000-0000-000000000003','2026-02-02T02:40:03.000000+00:00','inserted','{"task_type":"t2v"}');
INSERT INTO "events" VALUES(10,'00000000-0000-0000-0000-000000000003','2026-02-02T02:40:04.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000301","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000301-01"}');
INSERT INTO "events" VALUES(11,'00000000-0000-0000-0000-000000000003','2026-02-02T02:40:04.000000+00:00','died','{"failure":{"kind":"exception","type":"ValueError","message":"m","sentence":"It broke.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"","span_id":"","event_id":"","retryable":false},"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000301","deaths":1}');
INSERT INTO "events" VALUES(12,'00000000-0000-0000-0000-000000000003','2026-02-02T02:40:05.000000+00:00','claimed','{"attempt":2,"token":"00000000-0000-0000-0000-000000000302","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000302-01"}');
INSERT INTO "events" VALUES(13,'00000000-0000-0000-0000-000000000003','2026-02-02T02:40:05.000000+00:00','died','{"failure":{"kind":"exception","type":"ValueError","message":"m","sentence":"It broke.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"","span_id":"","event_id":"","retryable":false},"worker_id":"worker-1","attempt":2,"token":"00000000-0000-0000-0000-000000000302","deaths":2}');
INSERT INTO "events" VALUES(14,'00000000-0000-0000-0000-000000000003','2026-02-02T02:40:05.000000+00:00','failed','{"failure":{"kind":"exception","type":"ValueError","message":"m","sentence":"It broke.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"","span_id":"","event_id":"","retryable":false},"worker_id":"worker-1","attempt":2,"token":"00000000-0000-0000-0000-000000000302"}');
INSERT INTO "events" VALUES(15,'00000000-0000-0000-0000-000000000005','2026-02-02T02:40:05.000000+00:00','inserted','{"task_type":"t2v"}');
INSERT INTO "events" VALUES(16,'00000000-0000-0000-0000-000000000005','2026-02-02T02:40:06.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000501","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000501-01"}');
INSERT INTO "events" VALUES(17,'00000000-0000-0000-0000-000000000005','2026-02-02T02:40:06.000000+00:00','cancelled','{"reason":"enough","worker_id":"worker-1"}');
INSERT INTO "events" VALUES(18,'00000000-0000-0000-0000-000000000006','2026-02-02T02:40:06.000000+00:00','inserted','{"task_type":"travel_orchestrator"}');
INSERT INTO "events" VALUES(19,'00000000-0000-0000-0000-000000000006','2026-02-02T02:40:07.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000601","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000601-01"}');
INSERT INTO "events" VALUES(20,'00000000-0000-0000-0000-000000000061','2026-02-02T02:40:07.000000+00:00','inserted','{"task_type":"travel_segment"}');
INSERT INTO "events" VALUES(21,'00000000-0000-0000-0000-000000000062','2026-02-02T02:40:07.000000+00:00','inserted','{"task_type":"travel_segment"}');
INSERT INTO "events" VALUES(22,'00000000-0000-0000-0000-000000000006','2026-02-02T02:40:07.000000+00:00','spawned','{"children":["00000000-0000-0000-0000-000000000061","00000000-0000-0000-0000-000000000062"],"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000601"}');
INSERT INTO "events" VALUES(23,'00000000-0000-0000-0000-000000000061','2026-02-02T02:40:08.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000602","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000602-01"}');
INSERT INTO "events" VALUES(24,'00000000-0000-0000-0000-000000000062','2026-02-02T02:40:09.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000603","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000603-01"}');
INSERT INTO "events" VALUES(25,'00000000-0000-0000-0000-000000000061','2026-02-02T02:40:09.000000+00:00','failed','{"failure":{"kind":"exception","type":"ValueError","message":"m","sentence":"It broke.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"","span_id":"","event_id":"","retryable":false},"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000602"}');
INSERT INTO "events" VALUES(26,'00000000-0000-0000-0000-000000000006','2026-02-02T02:40:09.000000+00:00','cascaded','{"status":"Failed","root_cause":{"task_id":"00000000-0000-0000-0000-000000000061","type":"ValueError","message":"m","file":"","line":0,"function":"","trace_id":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"},"worker_id":"worker-1"}');
INSERT INTO "events" VALUES(27,'00000000-0000-0000-0000-000000000062','2026-02-02T02:40:09.000000+00:00','cascaded','{"status":"Failed","root_cause":{"task_id":"00000000-0000-0000-0000-000000000061","type":"ValueError","message":"m","file":"","line":0,"function":"","trace_id":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"},"worker_id":"worker-1"}');
INSERT INTO "events" VALUES(28,'00000000-0000-0000-0000-000000000062','2026-02-02T02:40:09.000000+00:00','refused','{"call":"complete","token":"00000000-0000-0000-0000-000000000603","worker_id":"worker-1","attempt":1,"reason":"Cascaded failed from related task 00000000-0000-0000-0000-000000000061: It broke."}');
INSERT INTO "events" VALUES(29,'00000000-0000-0000-0000-000000000007','2026-02-02T02:40:09.000000+00:00','inserted','{"task_type":"travel_orchestrator"}');
INSERT INTO "events" VALUES(30,'00000000-0000-0000-0000-000000000007','2026-02-02T02:40:10.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000701","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000701-01"}');
INSERT INTO "events" VALUES(31,'00000000-0000-0000-0000-000000000071','2026-02-02T02:40:10.000000+00:00','inserted','{"task_type":"travel_segment"}');
INSERT INTO "events" VALUES(32,'00000000-0000-0000-0000-000000000007','2026-02-02T02:40:10.000000+00:00','spawned','{"children":["00000000-0000-0000-0000-000000000071"],"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000701"}');
INSERT INTO "events" VALUES(33,'00000000-0000-0000-0000-000000000004','2026-02-02T02:40:10.000000+00:00','inserted','{"task_type":"t2v"}');
INSERT INTO "events" VALUES(34,'00000000-0000-0000-0000-000000000071','2026-02-02T02:40:11.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000400","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000400-01"}');
INSERT INTO "events" VALUES(35,'00000000-0000-0000-0000-000000000004','2026-02-02T02:40:12.000000+00:00','claimed','{"attempt":1,"token":"00000000-0000-0000-0000-000000000401","worker_id":"worker-1","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000401-01"}');
INSERT INTO "events" VALUES(36,'00000000-0000-0000-0000-000000000071','2026-02-02T02:41:13.000000+00:00','worker_lost','{"failure":{"kind":"death","type":"WorkerLost","message":"worker worker-1 fell silent: its lease ran out at 2026-02-02T02:41:11.000000+00:00 and was not extended","sentence":"The worker that ran this task was lost.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1","span_id":"0000000000000400","event_id":"","retryable":false},"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000400","lease_expires_at":"2026-02-02T02:41:11.000000+00:00","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000400-01","progress":null,"deaths":1}');
INSERT INTO "events" VALUES(37,'00000000-0000-0000-0000-000000000004','2026-02-02T02:41:13.000000+00:00','worker_lost','{"failure":{"kind":"death","type":"WorkerLost","message":"worker worker-1 fell silent: its lease ran out at 2026-02-02T02:41:12.000000+00:00 and was not extended","sentence":"The worker that ran this task was lost.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1","span_id":"0000000000000401","event_id":"","retryable":false},"worker_id":"worker-1","attempt":1,"token":"00000000-0000-0000-0000-000000000401","lease_expires_at":"2026-02-02T02:41:12.000000+00:00","process_context":"00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000401-01","progress":null,"deaths":1}');
INSERT INTO "events" VALUES(38,'00000000-0000-0000-0000-000000000008','2026-02-02T02:41:13.000000+00:00','inserted','{"task_type":"t2v"}');
CREATE TABLE tasks (
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
INSERT INTO "tasks" VALUES(1,'00000000-0000-0000-0000-000000000001','t2v','{"n":1}','Complete','[]','1.mp4',NULL,1,'worker-1',NULL,'2026-02-02T02:40:00.000000+00:00','2026-02-02T02:40:01.000000+00:00','2026-02-02T02:40:01.000000+00:00','2026-02-02T02:40:01.000000+00:00','{"frames":81}','k',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000101-01',NULL,NULL);
INSERT INTO "tasks" VALUES(2,'00000000-0000-0000-0000-000000000002','t2v','{"n":2}','In Progress','[]',NULL,NULL,1,'worker-1',NULL,'2026-02-02T02:40:01.000000+00:00','2026-02-02T02:40:03.000000+00:00','2026-02-02T02:40:03.000000+00:00',NULL,NULL,NULL,NULL,NULL,0,'00000000-0000-0000-0000-000000000202','2026-02-02T02:50:03.000000+00:00',NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000202-01','{"stage":"generate"}',NULL);
INSERT INTO "tasks" VALUES(3,'00000000-0000-0000-0000-000000000003','t2v','{"n":3}','Failed','[]',NULL,'It broke.',2,'worker-1',NULL,'2026-02-02T02:40:03.000000+00:00','2026-02-02T02:40:05.000000+00:00','2026-02-02T02:40:05.000000+00:00',NULL,NULL,NULL,NULL,'{"kind":"exception","type":"ValueError","message":"m","sentence":"It broke.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"","span_id":"","event_id":"","retryable":false}',2,NULL,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000302-01',NULL,NULL);
INSERT INTO "tasks" VALUES(4,'00000000-0000-0000-0000-000000000005','t2v','{"n":5}','Cancelled','[]',NULL,'enough',1,'worker-1',NULL,'2026-02-02T02:40:05.000000+00:00','2026-02-02T02:40:06.000000+00:00','2026-02-02T02:40:06.000000+00:00',NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000501-01',NULL,NULL);
INSERT INTO "tasks" VALUES(5,'00000000-0000-0000-0000-000000000006','travel_orchestrator','{"n":6}','Failed','[]',NULL,'Cascaded failed from related task 00000000-0000-0000-0000-000000000061: It broke.',1,'worker-1',NULL,'2026-02-02T02:40:06.000000+00:00','2026-02-02T02:40:09.000000+00:00','2026-02-02T02:40:07.000000+00:00',NULL,'{}',NULL,NULL,'{"kind":"cascade","type":"ValueError","message":"Cascaded failed from related task 00000000-0000-0000-0000-000000000061: It broke.","root_cause":{"task_id":"00000000-0000-0000-0000-000000000061","type":"ValueError","message":"m","file":"","line":0,"function":"","trace_id":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"}}',0,NULL,NULL,NULL,'2026-02-02T02:40:07.000000+00:00',NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000601-01',NULL,NULL);
INSERT INTO "tasks" VALUES(6,'00000000-0000-0000-0000-000000000061','travel_segment','{"segment_index":0}','Failed','[]',NULL,'It broke.',1,'worker-1',NULL,'2026-02-02T02:40:07.000000+00:00','2026-02-02T02:40:09.000000+00:00','2026-02-02T02:40:08.000000+00:00',NULL,NULL,NULL,'00000000-0000-0000-0000-000000000006','{"kind":"exception","type":"ValueError","message":"m","sentence":"It broke.","file":"","line":0,"function":"","place":"","stage":"","loop_index":0,"loop_count":0,"fingerprint":"","trace_id":"","span_id":"","event_id":"","retryable":false}',0,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000601-01','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000602-01',NULL,NULL);
INSERT INTO "tasks" VALUES(7,'00000000-0000-0000-0000-000000000062','travel_segment','{"segment_index":1}','Failed','[]',NULL,'Cascaded failed from related task 00000000-0000-0000-0000-000000000061: It broke.',1,'worker-1',NULL,'2026-02-02T02:40:07.000000+00:00','2026-02-02T02:40:09.000000+00:00','2026-02-02T02:40:09.000000+00:00',NULL,NULL,NULL,'00000000-0000-0000-0000-000000000006','{"kind":"cascade","type":"ValueError","message":"Cascaded failed from related task 00000000-0000-0000-0000-000000000061: It broke.","root_cause":{"task_id":"00000000-0000-0000-0000-000000000061","type":"ValueError","message":"m","file":"","line":0,"function":"","trace_id":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"}}',0,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000601-01','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000603-01',NULL,NULL);
INSERT INTO "tasks" VALUES(8,'00000000-0000-0000-0000-000000000007','travel_orchestrator','{"n":7}','In Progress','[]',NULL,NULL,1,'worker-1',NULL,'2026-02-02T02:40:09.000000+00:00','2026-02-02T02:40:10.000000+00:00','2026-02-02T02:40:10.000000+00:00',NULL,'{"planned":1}',NULL,NULL,NULL,0,NULL,NULL,NULL,'2026-02-02T02:40:10.000000+00:00',NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000701-01',NULL,NULL);
INSERT INTO "tasks" VALUES(9,'00000000-0000-0000-0000-000000000071','travel_segment','{"segment_index":0}','Queued','[]',NULL,NULL,1,NULL,NULL,'2026-02-02T02:40:10.000000+00:00','2026-02-02T02:41:13.000000+00:00',NULL,NULL,NULL,NULL,'00000000-0000-0000-0000-000000000007',NULL,1,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000701-01','00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000400-01',NULL,NULL);
INSERT INTO "tasks" VALUES(10,'00000000-0000-0000-0000-000000000004','t2v','{"n":4}','Queued','[]',NULL,NULL,1,NULL,NULL,'2026-02-02T02:40:10.000000+00:00','2026-02-02T02:41:13.000000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,'00-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1-0000000000000401-01',NULL,NULL);
INSERT INTO "tasks" VALUES(11,'00000000-0000-0000-0000-000000000008','t2v','{"n":8}','Queued','["00000000-0000-0000-0000-000000000004"]',NULL,NULL,0,NULL,NULL,'2026-02-02T02:41:13.000000+00:00','2026-02-02T02:41:13.000000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    last_heartbeat TEXT NOT NULL,
    current_model TEXT,
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO "workers" VALUES('worker-1','active','2026-02-02T02:41:13.000000+00:00','wan','{"gib":24}','2026-02-02T02:41:13.000000+00:00');
CREATE INDEX tasks_queued ON tasks (created_at) WHERE status = 'Queued';
CREATE INDEX tasks_queued_of_model ON tasks (model, created_at)
WHERE status = 'Queued' AND model IS NOT NULL;
CREATE INDEX tasks_leased ON tasks (lease_expires_at) WHERE status = 'In Progress';
CREATE INDEX tasks_of_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX events_of_task ON events (task_id);
CREATE TRIGGER events_are_kept_as_written BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER tasks_follow_the_transitions BEFORE UPDATE OF status ON tasks
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
CREATE TRIGGER tasks_name_dependencies BEFORE INSERT ON tasks
WHEN new.dependant_on <> '[]' AND EXISTS (
    SELECT 1 FROM json_each(new.dependant_on)
    WHERE type <> 'text' OR length(value) <> 36 OR value GLOB '*[^0-9a-f-]*'
)
BEGIN
    SELECT RAISE(ABORT, 'dependant_on is not a list of task ids');
END;
CREATE TRIGGER tasks_join_no_ended_family AFTER INSERT ON tasks
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
CREATE TRIGGER tasks_have_history AFTER INSERT ON tasks
BEGIN
    INSERT INTO events (task_id, at, name, data)
    VALUES (new.id, new.created_at, 'inserted', json_object('task_type', new.task_type));
END;
CREATE TRIGGER tasks_have_dependants AFTER INSERT ON tasks
WHEN new.dependant_on <> '[]'
BEGIN
    INSERT OR IGNORE INTO dependencies (depends_on, task_id)
    SELECT value, new.id FROM json_each(new.dependant_on);
END;
CREATE TRIGGER tasks_change_dependants AFTER UPDATE OF dependant_on ON tasks
BEGIN
    DELETE FROM dependencies WHERE task_id = old.id;
    INSERT OR IGNORE INTO dependencies (depends_on, task_id)
    SELECT value, new.id FROM json_each(new.dependant_on);
END;
CREATE TRIGGER tasks_say_their_parent AFTER INSERT ON tasks
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
CREATE TRIGGER tasks_say_their_model AFTER INSERT ON tasks
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',38);
INSERT INTO "sqlite_sequence" VALUES('tasks',11);
COMMIT;
