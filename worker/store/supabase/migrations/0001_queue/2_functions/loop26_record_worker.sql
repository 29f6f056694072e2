-- Note that a worker lives, and what it is doing.
create or replace function public.loop26_record_worker(
    p_worker_id text, p_status text, p_current_model text, p_metadata jsonb
) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_by text := loop26.authorize_worker();
    v_now timestamptz := loop26.now();
begin
    perform loop26.refuse_large('what a worker says of itself', p_metadata);
    -- Each start of a worker is a new one; those of its token that are long gone make room, and so
    -- do all that are older than a thousand others: whoever has a token may call itself anything.
    if v_by <> '' and not exists (select 1 from public.workers where id = left(p_worker_id, 200)) then
        delete from public.workers where id in (
            select id from public.workers
            where token_name = v_by
                and (
                    last_heartbeat < v_now - interval '30 days'
                    or id in (
                        select id from public.workers where token_name = v_by
                        order by last_heartbeat desc offset 999
                    )
                )
            for no key update skip locked
        );
    end if;
    insert into public.workers (
        id, status, last_heartbeat, current_model, metadata, created_at, token_name
    )
    values (
        left(p_worker_id, 200), left(p_status, 200), v_now, left(p_current_model, 200), p_metadata,
        v_now, v_by
    )
    on conflict (id) do update
    set status = excluded.status,
        last_heartbeat = excluded.last_heartbeat,
        current_model = excluded.current_model,
        metadata = excluded.metadata,
        token_name = excluded.token_name
    -- The row of another token's worker is not to be touched.
    where workers.token_name = excluded.token_name or loop26.is_operator();
    return to_jsonb(found);
end
$$;
