INSERT INTO claims (
    token, task_id, worker_id, attempt, claimed_at, process_context, previous_context
)
VALUES (
    :token, :task_id, :worker_id, :attempt, :now, :process_context, :previous_context
)
