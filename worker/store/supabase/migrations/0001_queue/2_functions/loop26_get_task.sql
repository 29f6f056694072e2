-- Read one task; null where there is none, or none that the caller may read.
create or replace function public.loop26_get_task(p_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
begin
    return (
        select loop26.shown_task(task) from public.tasks as task
        where id = p_id and loop26.may_read_task(p_id, v_by)
    );
end
$$;
