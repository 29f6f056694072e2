-- Tables of an older application are taken over where their columns are of the kinds that the
-- functions work with; else nothing is done.
do $$
declare
    v_wrong text;
    v_mending text;
begin
    select
        string_agg(
            format('%s.%I is %s, not %s', there.class::regclass, there.name, there.shown, kept.type),
            ', '
            order by there.class::regclass::text, there.name
        ),
        string_agg(
            format('alter table public.%I alter column %I type text', kept.class, kept.name),
            '; '
            order by there.class::regclass::text, there.name
        ) filter (where there.type = 'character varying')
    into v_wrong, v_mending
    from (
        values
            ('tasks', 'id', 'uuid'), ('tasks', 'task_type', 'text'), ('tasks', 'params', 'jsonb'),
            ('tasks', 'dependant_on', 'uuid[]'), ('tasks', 'output_location', 'text'),
            ('tasks', 'error_message', 'text'), ('tasks', 'attempts', 'integer'),
            ('tasks', 'worker_id', 'text'), ('tasks', 'project_id', 'uuid'),
            ('tasks', 'created_at', 'timestamp with time zone'),
            ('tasks', 'updated_at', 'timestamp with time zone'),
            ('tasks', 'generation_started_at', 'timestamp with time zone'),
            ('tasks', 'generation_processed_at', 'timestamp with time zone'),
            ('tasks', 'result_data', 'jsonb'), ('tasks', 'idempotency_key', 'text'),
            ('tasks', 'seq', 'bigint'), ('tasks', 'parent_id', 'uuid'),
            ('tasks', 'waits_for', 'uuid[]'), ('tasks', 'error', 'jsonb'),
            ('tasks', 'deaths', 'integer'), ('tasks', 'claim_token', 'uuid'),
            ('tasks', 'claimed_by', 'text'), ('tasks', 'trace_context', 'text'),
            ('tasks', 'process_context', 'text'), ('tasks', 'progress', 'jsonb'),
            ('tasks', 'model', 'text'),
            ('tasks', 'lease_expires_at', 'timestamp with time zone'),
            ('tasks', 'run_after', 'timestamp with time zone'),
            ('tasks', 'spawned_at', 'timestamp with time zone'),
            ('workers', 'id', 'text'), ('workers', 'status', 'text'),
            ('workers', 'current_model', 'text'),
            ('workers', 'last_heartbeat', 'timestamp with time zone'),
            ('workers', 'metadata', 'jsonb')
    ) as kept (class, name, type)
    join (
        select attrelid as class, attname as name, format_type(atttypid, null) as type,
            format_type(atttypid, atttypmod) as shown, atttypmod = -1 as is_unbounded
        from pg_catalog.pg_attribute where attnum > 0 and not attisdropped
    ) as there on there.class = to_regclass('public.' || kept.class) and there.name = kept.name
    where there.type <> kept.type
        -- What takes any text serves as one. How long a key may be is for those who make keys.
        and not (
            kept.type = 'text'
            and there.type = 'character varying'
            and (there.is_unbounded or kept.name = 'idempotency_key')
        )
        and not (kept.type = 'integer' and there.type in ('smallint', 'bigint'));
    if v_wrong is not null then
        raise exception 'what is there cannot be worked with: %', v_wrong using
            hint = concat_ws(
                ': ', 'change the type of these columns, or rename the table, and migrate again',
                v_mending
            );
    end if;
    if
        exists (
            select 1 from pg_catalog.pg_attribute
            where attrelid = to_regclass('public.tasks') and attname = 'seq'
        )
        and pg_get_serial_sequence('public.tasks', 'seq') is null
    then
        raise exception 'public.tasks.seq is a column that no sequence of its own counts' using
            hint = 'give it another name (alter table public.tasks rename column seq to number), '
            'and migrate again: the worker adds one that counts its rows';
    end if;
end
$$;
