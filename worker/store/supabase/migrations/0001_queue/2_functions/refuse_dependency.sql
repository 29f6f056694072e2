-- Refuse a dependency that is not there or will never be Complete. Locked against ending meanwhile.
create or replace function loop26.refuse_dependency(p_needed uuid) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_status text;
begin
    select status into v_status from public.tasks where id = p_needed for share;
    if not found then
        perform loop26.refuse_task(
            'dependant_on', p_needed::text, 'is no task of this queue; insert it before or with'
        );
    elsif v_status in ('Failed', 'Cancelled') then
        perform loop26.refuse_task(
            'dependant_on',
            p_needed::text,
            format('is %s and will never be Complete; depend on another attempt at it', v_status)
        );
    end if;
end
$$;
