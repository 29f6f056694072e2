-- What a doctor asks of the queue: what stands in its rows that should not, and what the database
-- has of what the migrations made. Ids are 20 at the most of each kind; counts are whole.
create or replace function public.loop26_diagnose_queue() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := loop26.now();
begin
    perform loop26.authorize_operator();
    return jsonb_build_object(
        'now', v_now,
        'server', current_setting('server_version'),
        'schema_version', (select max(version) from loop26.migrations),
        'statuses', (
            select coalesce(jsonb_object_agg(status, count), '{}')
            from (select status, count(*) as count from public.tasks group by status) as counted
        ),
        'expired', loop26.counted(
            array(
                select id from public.tasks
                where status = 'In Progress' and lease_expires_at < v_now - interval '2 minutes'
                order by lease_expires_at
            )
        ),
        'without_lease', loop26.counted(
            array(
                select id from public.tasks
                where status = 'In Progress' and lease_expires_at is null and spawned_at is null
                order by created_at
            )
        ),
        'finished_but_waiting', loop26.counted(
            array(
                select id from public.tasks as orchestrator
                where status = 'In Progress' and spawned_at is not null
                    and not exists (
                        select 1 from public.tasks as child
                        where child.parent_id = orchestrator.id
                            and child.status in ('Queued', 'In Progress')
                    )
                order by created_at
            )
        ),
        'orphans', loop26.counted(
            array(
                select id from public.tasks as task
                where status in ('Queued', 'In Progress')
                    and exists (
                        select 1 from public.tasks as relative
                        where relative.status in ('Failed', 'Cancelled')
                            and (relative.id = task.parent_id or relative.id = any (task.dependant_on))
                    )
                order by created_at
            )
        ),
        'never_ready', loop26.counted(
            array(
                select id from public.tasks as task
                where status = 'Queued'
                    and exists (
                        select 1 from unnest(task.dependant_on) as needed (id)
                        where not exists (select 1 from public.tasks where tasks.id = needed.id)
                    )
                order by created_at
            )
        ),
        'poison', loop26.counted(
            array(
                select id from public.tasks
                where status in ('Queued', 'In Progress') and deaths >= 2
                order by deaths desc, created_at
            )
        ),
        'oldest_queued', (
            select min(created_at) from public.tasks
            where status = 'Queued' and (run_after is null or run_after <= v_now)
        ),
        'workers', (
            select count(*) from public.workers where last_heartbeat > v_now - interval '2 minutes'
        ),
        'tables', (
            select jsonb_object_agg(
                class.oid::regclass::text,
                jsonb_build_object(
                    'row_security', class.relrowsecurity,
                    'open_to', array(
                        select role || ' ' || privilege
                        from unnest(array['anon', 'authenticated']) as role,
                            unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
                                as privilege
                        where has_table_privilege(role, class.oid, privilege)
                    )
                )
            )
            from pg_class as class
            where class.relkind in ('r', 'p')
                and (
                    class.relnamespace = to_regnamespace('loop26')
                    or class.oid in (
                        to_regclass('public.tasks'),
                        to_regclass('public.workers'),
                        to_regclass('public.task_events')
                    )
                )
        ),
        -- Those that let in anybody to any row.
        'policies', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object('name', policyname, 'table', tablename, 'for', cmd)
                    order by tablename, policyname
                ),
                '[]'
            )
            from pg_policies
            where schemaname = 'public'
                and tablename in ('tasks', 'workers')
                and permissive = 'PERMISSIVE'
                and roles && array['public', 'anon']::name[]
                and 'true' in (qual, with_check)
                and exists (
                    select 1 from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as privilege
                    where cmd in ('ALL', privilege)
                        and has_table_privilege(
                            'anon', format('%I.%I', schemaname, tablename)::regclass, privilege
                        )
                )
        ),
        'indexes', (
            select coalesce(jsonb_agg(indexname order by indexname), '[]') from pg_indexes
            where schemaname = 'public' and tablename in ('tasks', 'task_events', 'workers')
        ),
        'triggers', (
            select coalesce(jsonb_agg(tgname order by tgname), '[]') from pg_trigger
            where tgrelid in (to_regclass('public.tasks'), to_regclass('public.task_events'))
                and not tgisinternal and tgenabled <> 'D'
        ),
        'functions', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'name', proname,
                        'schema', pronamespace::regnamespace::text,
                        'md5', md5(prosrc),
                        'definer', prosecdef,
                        'search_path', exists (
                            select 1 from unnest(proconfig) as setting
                            where setting like 'search_path=%'
                        ),
                        'open_to', array(
                            select role from unnest(array['anon', 'authenticated', 'service_role'])
                                as role
                            where has_function_privilege(role, pg_proc.oid, 'EXECUTE')
                                and has_schema_privilege(role, pronamespace, 'USAGE')
                        )
                    )
                    order by proname
                ),
                '[]'
            )
            from pg_proc
            where pronamespace = to_regnamespace('loop26')
                or (pronamespace = to_regnamespace('public') and proname like 'loop26\_%')
        )
    );
end
$$;
