-- List tasks that failed by themselves for good and were not retried since, by their own key or, as
-- children of a journey, by their parent's. Newest end first.
create or replace function public.loop26_list_dead_letters(p_limit integer) returns jsonb
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
            select * from public.tasks as dead
            where status = 'Failed'
                and coalesce(error_message, '') not like 'Cascaded % from related task %'
                and error ->> 'kind' is distinct from 'cascade'
                and not exists (
                    select 1 from public.tasks as retry
                    where retry.idempotency_key = 'retry/' || dead.id
                )
                and not exists (
                    select 1 from public.tasks as retry
                    where retry.idempotency_key = 'retry/' || dead.parent_id
                )
            order by coalesce(generation_processed_at, updated_at) desc, seq desc
            limit p_limit
        ) as task
    );
end
$$;
