-- Insert the tasks that are not there yet; return the ids of all, in order. Whole or nothing.
--
-- Each is an object with the fields of `worker.task.NewTask`. `p_request` stands for one insertion:
-- repeated with it, what was inserted then is there.
create or replace function loop26.add_tasks(p_tasks jsonb, p_request uuid, p_now timestamptz)
returns uuid[]
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_given jsonb;
    v_key text;
    v_there public.tasks;
    v_known jsonb := '{}';
    v_of_key jsonb := '{}';
    v_fresh jsonb[] := '{}';
    v_own uuid[] := '{}';
    v_id uuid;
    v_parent uuid;
    v_needed uuid;
    v_needs uuid[];
    v_depends boolean := false;
begin
    if jsonb_array_length(p_tasks) > 1000 then
        perform loop26.refuse_task(
            '', jsonb_array_length(p_tasks)::text, 'tasks are too many at once; insert 1000 at the most'
        );
    end if;
    -- A request that is repeated while the first one is still at work waits for it.
    if p_request is not null then
        perform pg_advisory_xact_lock(hashtextextended(p_request::text, 29));
    end if;
    -- Two who insert under one key wait for each other here, in one order.
    for v_key in
        select distinct one ->> 'idempotency_key' as key
        from jsonb_array_elements(p_tasks) as one
        where one ->> 'idempotency_key' is not null
        order by key
    loop
        perform pg_advisory_xact_lock(hashtextextended(v_key, 26));
    end loop;
    perform set_config('loop26.request', coalesce(p_request::text, ''), true);

    -- What is there already, and what is asked for twice.
    for v_given in select one from jsonb_array_elements(p_tasks) as one loop
        v_key := v_given ->> 'idempotency_key';
        if v_key is not null and not v_of_key ? v_key then
            select * into v_there from public.tasks where idempotency_key = v_key;
            if found then
                perform loop26.refuse_other_family(v_given, v_there);
                v_of_key := v_of_key || jsonb_build_object(v_key, v_there.id);
            end if;
        end if;
        if v_key is not null and v_of_key ? v_key then
            v_known := v_known || jsonb_build_object(v_given ->> 'id', v_of_key -> v_key);
            continue;
        end if;
        if v_key is not null then
            v_of_key := v_of_key || jsonb_build_object(v_key, v_given -> 'id');
        end if;
        v_known := v_known || jsonb_build_object(v_given ->> 'id', v_given -> 'id');
        if p_request is null or not exists (
            select 1 from public.task_events
            where task_id = (v_given ->> 'id')::uuid
                and name = 'inserted'
                and data ->> 'request' = p_request::text
        ) then
            v_fresh := v_fresh || v_given;
            v_own := v_own || (v_given ->> 'id')::uuid;
        end if;
    end loop;

    foreach v_given in array v_fresh loop
        select coalesce(
            array_agg(coalesce(v_known ->> needed, needed)::uuid order by place), '{}'
        ) into v_needs
        from jsonb_array_elements_text(v_given -> 'dependant_on') with ordinality
            as one (needed, place);
        v_parent := loop26.parent_of(
            (v_given ->> 'parent_id')::uuid, v_given ->> 'task_type', v_given -> 'params'
        );
        v_parent := coalesce((v_known ->> v_parent::text)::uuid, v_parent);
        foreach v_needed in array v_needs loop
            v_depends := true;
            if v_needed <> all (v_own) then
                perform loop26.refuse_dependency(v_needed);
            end if;
        end loop;
        if v_parent is not null and v_parent <> all (v_own) then
            perform loop26.refuse_parent(v_parent, v_given -> 'params');
        end if;
        v_id := (v_given ->> 'id')::uuid;
        insert into public.tasks (
            id, task_type, params, dependant_on, parent_id, project_id, idempotency_key,
            trace_context, created_at, updated_at
        )
        values (
            v_id,
            v_given ->> 'task_type',
            v_given -> 'params',
            v_needs,
            v_parent,
            (v_given ->> 'project_id')::uuid,
            v_given ->> 'idempotency_key',
            v_given ->> 'trace_context',
            p_now,
            p_now
        )
        on conflict (id) do nothing;
        if not found then
            perform loop26.refuse_task(
                'id',
                v_id::text,
                'is the id of a task that is already in the queue; leave the id out, or give an '
                'idempotency_key to repeat an insertion'
            );
        end if;
    end loop;
    if v_depends then
        perform loop26.refuse_circles(v_own);
    end if;
    return (
        select coalesce(array_agg((v_known ->> (one ->> 'id'))::uuid order by place), '{}')
        from jsonb_array_elements(p_tasks) with ordinality as given (one, place)
    );
end
$$;
