-- Follow root causes from a task that failed or was cancelled to the one that ended first, as far as
-- rows tell: other applications write them, too, and may name any task.
create or replace function loop26.first_to_end(p_ended public.tasks) returns public.tasks
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_first public.tasks := p_ended;
    v_named public.tasks;
    v_seen uuid[] := array[p_ended.id];
begin
    loop
        select * into v_named from public.tasks
        where id = loop26.uuid_of(loop26.text_of(v_first.error -> 'root_cause' -> 'task_id'))
            and status in ('Failed', 'Cancelled')
            and id <> all (v_seen);
        if not found then
            return v_first;
        end if;
        v_seen := v_seen || v_named.id;
        v_first := v_named;
    end loop;
end
$$;
