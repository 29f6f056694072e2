-- Read the task that was inserted with a key; null where none was.
create or replace function public.loop26_get_task_of_key(p_idempotency_key text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    return (
        select loop26.shown_task(task) from public.tasks as task
        where idempotency_key = p_idempotency_key
    );
end
$$;
