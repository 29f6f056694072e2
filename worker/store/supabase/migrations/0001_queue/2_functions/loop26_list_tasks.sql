-- List tasks, newest first; the children of one orchestrator in the order of their insertion.
create or replace function public.loop26_list_tasks(
    p_statuses text[] default '{}', p_parent_id uuid default null, p_limit integer default 50
) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    if p_parent_id is not null then
        return (
            select coalesce(jsonb_agg(loop26.shown_task(child) order by child.seq), '[]')
            from (
                select * from public.tasks
                where parent_id = p_parent_id
                    and (p_statuses = '{}' or status::text = any (p_statuses))
                order by seq
                limit p_limit
            ) as child
        );
    end if;
    return (
        select coalesce(
            jsonb_agg(loop26.shown_task(task) order by task.created_at desc, task.seq desc), '[]'
        )
        from (
            select * from public.tasks
            where p_statuses = '{}' or status::text = any (p_statuses)
            order by created_at desc, seq desc
            limit p_limit
        ) as task
    );
end
$$;
