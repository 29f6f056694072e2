-- Which of the tasks that one depends on are not Complete. Each is locked against ending meanwhile:
-- whoever completes it then finds the task that waits. One that has failed or was cancelled is refused:
-- it would be waited for without end.
create or replace function loop26.incomplete_of(p_needed uuid[]) returns uuid[]
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_complete uuid[] := '{}';
    v_needed record;
begin
    -- One that is nowhere may be on its way here, Complete: see `complete_new_task`.
    if exists (
        select 1 from unnest(p_needed) as needed (id)
        where not exists (select 1 from public.tasks where tasks.id = needed.id)
    ) then
        perform loop26.lock_arrival(true);
    end if;
    for v_needed in
        select id, status from public.tasks where id = any (p_needed) order by seq for share
    loop
        if v_needed.status = 'Complete' then
            v_complete := v_complete || v_needed.id;
        elsif v_needed.status in ('Failed', 'Cancelled') then
            perform loop26.refuse_dependency(v_needed.id);
        end if;
    end loop;
    return array(select id from unnest(p_needed) as needed (id) where id <> all (v_complete));
end
$$;
