-- A task's history begins with its row, whoever inserts it.
create or replace function loop26.begin_history() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.record_event(
        new.id,
        'inserted',
        jsonb_strip_nulls(
            jsonb_build_object(
                'task_type', new.task_type,
                'request', nullif(current_setting('loop26.request', true), '')
            )
        ),
        new.created_at
    );
    return new;
end
$$;
