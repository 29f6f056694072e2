-- How many tasks of each type are queued, how many of them wait for a worker alone, and for how
-- long the oldest of those has. What is asked now and then must not cost more with every task: of
-- more than p_most the oldest are counted.
create or replace function public.loop26_count_queued_tasks(
    p_task_types text[], p_most integer default 100000
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := loop26.now();
begin
    perform loop26.authorize_worker();
    return (
        with queued as (
            select
                task_type,
                waits_for = '{}' and (run_after is null or run_after <= v_now) as ready,
                greatest(created_at, run_after) as since
            from public.tasks
            where status = 'Queued' and task_type = any (p_task_types)
            order by created_at, seq
            limit least(p_most, 100000)
        ), counted as (
            select
                task_type,
                count(*) filter (where ready) as ready,
                count(*) filter (where not ready) as held,
                coalesce(extract(epoch from v_now - min(since) filter (where ready)), 0) as oldest_s
            from queued
            group by task_type
        )
        select coalesce(jsonb_agg(to_jsonb(counted) order by task_type), '[]') from counted
    );
end
$$;
