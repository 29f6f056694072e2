-- Refuse a task that could never end; `worker.errors.InvalidTask` is made of it.
create or replace function loop26.refuse_task(p_field text, p_value text, p_problem text)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    raise sqlstate 'PT422' using
        message = format('%s = %L: %s', p_field, p_value, p_problem),
        detail = jsonb_build_object('field', p_field, 'value', p_value, 'problem', p_problem)::text;
end
$$;
