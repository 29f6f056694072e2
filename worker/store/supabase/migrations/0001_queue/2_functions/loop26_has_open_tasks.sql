-- Whether a task of one of these types is queued or running, here or elsewhere.
create or replace function public.loop26_has_open_tasks(p_task_types text[]) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_worker();
    -- Each by an index of its own.
    return exists (
        select 1 from public.tasks where status = 'Queued' and task_type = any (p_task_types)
    ) or exists (
        select 1 from public.tasks where status = 'In Progress' and task_type = any (p_task_types)
    );
end
$$;
