-- Extend the lease of a claim; keep its progress on the row where it is given.
create or replace function public.loop26_extend_lease(
    p_token uuid, p_lease_s double precision, p_progress jsonb default null
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
    v_owned record;
begin
    perform loop26.refuse_large('progress', p_progress);
    select * into v_owned from loop26.owned_task(p_token, 'extend', v_by, v_now);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    end if;
    update public.tasks
    set lease_expires_at = loop26.lease_end(p_lease_s, v_now),
        progress = coalesce(p_progress, progress),
        updated_at = v_now
    where id = (v_owned.task).id;
    return '{}';
end
$$;
