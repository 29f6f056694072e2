-- The claim that a token is already, with a whole lease.
create or replace function loop26.renewed_claim(
    p_token uuid, p_lease_s double precision, p_by text, p_now timestamptz
) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_owned record;
    v_task public.tasks;
    v_before text;
begin
    select * into v_owned from loop26.owned_task(p_token, 'claim', p_by, p_now);
    if v_owned.fenced is not null then
        return jsonb_build_object('fenced', v_owned.fenced);
    end if;
    update public.tasks
    set lease_expires_at = loop26.lease_end(p_lease_s, p_now),
        updated_at = p_now
    where id = (v_owned.task).id
    returning * into v_task;
    select nullif(loop26.text_of(data -> 'process_context'), '') into v_before from public.task_events
    where task_id = v_task.id and name = 'claimed' and data ->> 'token' <> p_token::text
    order by seq desc
    limit 1;
    return loop26.claim_of(v_task, v_before);
end
$$;
