create or replace function loop26.keep_events() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'task_events is append-only';
end
$$;

create or replace trigger task_events_are_kept before update or delete on public.task_events
for each row execute function loop26.keep_events();
