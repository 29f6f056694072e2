-- Find the tasks whose id begins so; at most 20.
create or replace function public.loop26_find_tasks(p_prefix text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_digits text := replace(lower(p_prefix), '-', '');
begin
    perform loop26.authorize_operator();
    if v_digits !~ '^[0-9a-f]{0,32}$' then
        return '[]';
    end if;
    return (
        select coalesce(jsonb_agg(loop26.shown_task(task) order by task.id), '[]')
        from (
            select * from public.tasks
            where id >= rpad(v_digits, 32, '0')::uuid and id <= rpad(v_digits, 32, 'f')::uuid
                and starts_with(id::text, lower(p_prefix))
            order by id
            limit 20
        ) as task
    );
end
$$;
