-- Refuse a parent that is not there or has ended. Locked against ending meanwhile. One that the
-- params alone refer to may be an orchestrator of another queue.
create or replace function loop26.refuse_parent(p_parent_id uuid, p_params jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_status text;
begin
    select status into v_status from public.tasks where id = p_parent_id for share;
    if v_status in ('Complete', 'Failed', 'Cancelled') then
        perform loop26.refuse_task(
            'parent_id',
            p_parent_id::text,
            format(
                'is %s: its journey is over and takes no further children; to make one segment '
                'again, insert an individual_travel_segment',
                v_status
            )
        );
    elsif v_status is null and not p_params ? 'orchestrator_task_id_ref' then
        perform loop26.refuse_task(
            'parent_id', p_parent_id::text, 'is no task of this queue; insert it before or with'
        );
    end if;
end
$$;
