create or replace trigger task_events_are_kept before update or delete on public.task_events
for each row execute function loop26.keep_events();
