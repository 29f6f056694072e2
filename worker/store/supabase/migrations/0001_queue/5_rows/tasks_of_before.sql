-- What rows of an older application lack in the columns that are new. No trigger hears of it: for
-- whoever watches the table nothing has happened.
do $$
declare
    v_trigger record;
    v_triggers jsonb;
begin
    select coalesce(jsonb_object_agg(tgname, tgenabled), '{}') into v_triggers
    from pg_catalog.pg_trigger
    where tgrelid = 'public.tasks'::regclass and not tgisinternal and tgenabled <> 'D';
    for v_trigger in select key from jsonb_each_text(v_triggers) loop
        execute format('alter table public.tasks disable trigger %I', v_trigger.key);
    end loop;

    update public.tasks
    set parent_id = loop26.parent_of(parent_id, task_type, params)
    where parent_id is null
        and task_type in ('travel_segment', 'travel_stitch')
        and params ? 'orchestrator_task_id_ref';
    -- As `loop26.incomplete_of` has it, but all at once: the table is locked, no row needs to be.
    update public.tasks as task
    set model = coalesce(model, left(loop26.model_of(params), 200)),
        waits_for = array(
            select needed.id from unnest(task.dependant_on) as needed (id)
            where needed.id is not null
                and not exists (
                    select 1 from public.tasks as done
                    where done.id = needed.id and done.status = 'Complete'
                )
        )
    where status in ('Queued', 'In Progress');
    -- An orchestrator whose children are there waits for them: the last of them completes it.
    update public.tasks as orchestrator
    set spawned_at = coalesce(generation_started_at, created_at)
    where status = 'In Progress'
        and task_type = 'travel_orchestrator'
        and spawned_at is null
        and exists (
            select 1 from public.tasks as child
            where child.parent_id = orchestrator.id and child.status in ('Queued', 'In Progress')
        );

    for v_trigger in select key, value from jsonb_each_text(v_triggers) loop
        execute format(
            'alter table public.tasks enable %s trigger %I',
            case v_trigger.value when 'A' then 'always' when 'R' then 'replica' else '' end,
            v_trigger.key
        );
    end loop;
end
$$;
