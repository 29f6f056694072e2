INSERT INTO tasks (
    id, task_type, params, dependant_on, parent_id, project_id, idempotency_key, trace_context,
    model, created_at, updated_at
)
VALUES (
    :id, :task_type, :params, :dependant_on, :parent_id, :project_id, :idempotency_key,
    :trace_context, :model, :now, :now
)
