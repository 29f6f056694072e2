-- List tasks that are Failed though nothing in their history says so: another application set them
-- to it. Newest first.
create or replace function public.loop26_list_untold_failures(p_limit integer) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    return (
        select coalesce(
            jsonb_agg(
                loop26.shown_task(task)
                order by coalesce(task.generation_processed_at, task.updated_at) desc, task.seq desc
            ),
            '[]'
        )
        from (
            select * from public.tasks as untold
            where status = 'Failed'
                and not exists (
                    select 1 from public.task_events as event
                    where event.task_id = untold.id and event.name in ('failed', 'cascaded')
                )
            order by coalesce(generation_processed_at, updated_at) desc, seq desc
            limit p_limit
        ) as task
    );
end
$$;
