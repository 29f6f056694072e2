-- Lock the orchestrators above a task, the topmost first, then the task; return it. All who end
-- tasks take these locks in this order, so that siblings that end at once do not miss each other.
create or replace function loop26.lock_family(p_task_id uuid) returns public.tasks
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_above uuid;
    v_task public.tasks;
begin
    for v_above in
        with recursive above (id, parent_id, depth) as (
            select id, parent_id, 0 from public.tasks where id = p_task_id
            union all
            select task.id, task.parent_id, above.depth + 1
            from above
            join public.tasks as task on task.id = above.parent_id
            where above.depth < 16
        )
        select id from above where depth > 0 order by depth desc
    loop
        perform 1 from public.tasks where id = v_above for no key update;
    end loop;
    select * into v_task from public.tasks where id = p_task_id for no key update;
    return v_task;
end
$$;
