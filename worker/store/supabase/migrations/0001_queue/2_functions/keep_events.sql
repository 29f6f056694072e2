-- Refuse to change or remove what has happened.
create or replace function loop26.keep_events() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'task_events is append-only';
end
$$;
