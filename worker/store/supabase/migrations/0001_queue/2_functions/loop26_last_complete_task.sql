-- The newest Complete task of a type that names this model, and ended before a moment; or null.
create or replace function public.loop26_last_complete_task(
    p_task_type text, p_model text default null, p_before timestamptz default null
) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    return (
        select loop26.shown_task(task) from public.tasks as task
        where status = 'Complete'
            and task_type = p_task_type
            and coalesce(model, params ->> 'model') is not distinct from p_model
            -- The same once more, as the index has it.
            and left(coalesce(model, params ->> 'model', ''), 200) = left(coalesce(p_model, ''), 200)
            and (p_before is null or generation_processed_at < p_before)
        order by generation_processed_at desc, seq desc
        limit 1
    );
end
$$;
