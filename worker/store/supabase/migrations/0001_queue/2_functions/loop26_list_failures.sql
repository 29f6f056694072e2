-- List attempts that failed by themselves, newest first: one line an attempt. A death that fails its
-- task leaves two events, and the first of them counts. What was refused counts where the task had
-- fallen with another, but for deaths: its supervisor may have ended a task process that went on.
create or replace function public.loop26_list_failures(
    p_fingerprint text default null,
    p_since timestamptz default null,
    p_before timestamptz default null,
    p_limit integer default 1000
) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    return (
        select coalesce(jsonb_agg(to_jsonb(failed) order by at desc, task_id desc, seq desc), '[]')
        from (
            select
                event.task_id,
                event.seq,
                event.at,
                event.name,
                event.data - 'by' as data,
                task.task_type,
                task.status,
                coalesce(task.model, task.params ->> 'model') as model
            from public.task_events as event
            join public.tasks as task on task.id = event.task_id
            where event.name in ('failed', 'retried', 'died', 'worker_lost', 'refused')
                and (
                    p_fingerprint is null
                    or left(event.data -> 'failure' ->> 'fingerprint', 200) = left(p_fingerprint, 200)
                )
                and (p_since is null or event.at >= p_since)
                and (p_before is null or event.at < p_before)
                and jsonb_typeof(event.data -> 'failure') = 'object'
                and not (
                    event.name = 'failed'
                    and exists (
                        select 1 from public.task_events as death
                        where death.task_id = event.task_id
                            and death.seq = event.seq - 1
                            and death.name in ('died', 'worker_lost')
                    )
                )
                and not (
                    event.name = 'refused'
                    and (
                        event.data ->> 'ended' is distinct from 'cascaded'
                        or event.data ->> 'call' is not distinct from 'record_death'
                        or exists (
                            select 1 from public.task_events as earlier
                            where earlier.task_id = event.task_id
                                and earlier.seq < event.seq
                                and earlier.name = 'refused'
                                and earlier.data ->> 'token' = event.data ->> 'token'
                                and jsonb_typeof(earlier.data -> 'failure') = 'object'
                        )
                    )
                )
            order by event.at desc, event.task_id desc, event.seq desc
            limit p_limit
        ) as failed
    );
end
$$;
