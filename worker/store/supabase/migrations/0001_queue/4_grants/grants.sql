-- Nobody may anything but what is said here. A project's defaults give new tables and functions to
-- everyone who has its publishable key.
revoke all on public.task_events from public, anon, authenticated, service_role;
revoke all on all tables in schema loop26 from public, anon, authenticated, service_role;
revoke all on all functions in schema loop26 from public, anon, authenticated, service_role;

grant select on public.workers, public.task_events to service_role;

-- An identity needs no grant. Whoever inserts into a `seq` of an older application's may need one.
do $$
declare
    v_sequence text := pg_get_serial_sequence('public.tasks', 'seq');
begin
    if
        exists (
            select 1 from pg_catalog.pg_attribute
            where attrelid = 'public.tasks'::regclass and attname = 'seq' and attidentity <> ''
        )
    then
        execute format(
            'revoke all on sequence %s from public, anon, authenticated, service_role', v_sequence
        );
    end if;
end
$$;

do $$
declare
    -- For workers: checked inside by their token. What is not named here is for operators.
    v_of_workers constant text[] := array[
        'loop26_claim_task',
        'loop26_complete_task',
        'loop26_count_queued_tasks',
        'loop26_extend_lease',
        'loop26_fail_task',
        'loop26_get_task',
        'loop26_has_open_tasks',
        'loop26_list_events',
        'loop26_mark_started',
        'loop26_queue_facts',
        'loop26_record_death',
        'loop26_record_worker',
        'loop26_release_task',
        'loop26_spawn_children',
        'loop26_sweep_leases'
    ];
    v_function record;
begin
    for v_function in
        select oid::regprocedure as signature, proname as name from pg_catalog.pg_proc
        where pronamespace = 'public'::regnamespace and proname like 'loop26\_%'
    loop
        execute format(
            'revoke all on function %s from public, anon, authenticated, service_role',
            v_function.signature
        );
        execute format('grant execute on function %s to service_role', v_function.signature);
        if v_function.name = any (v_of_workers) then
            execute format('grant execute on function %s to anon, authenticated', v_function.signature);
        end if;
    end loop;
end
$$;
