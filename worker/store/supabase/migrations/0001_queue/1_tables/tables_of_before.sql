-- Tables of an older application are taken over where their columns are of the kinds that the
-- functions work with; else nothing is done. `status` may be an enumeration.
do $$
declare
    v_wrong text;
    v_unknown text;
begin
    select string_agg(
        format('%s.%I is %s, not %s', there.class::regclass, there.name, there.type, kept.type),
        ', '
        order by there.class::regclass::text, there.name
    ) into v_wrong
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
            ('workers', 'id', 'text'), ('workers', 'current_model', 'text'),
            ('workers', 'last_heartbeat', 'timestamp with time zone'),
            ('workers', 'metadata', 'jsonb')
    ) as kept (class, name, type)
    join (
        select attrelid as class, attname as name, format_type(atttypid, null) as type
        from pg_catalog.pg_attribute where attnum > 0 and not attisdropped
    ) as there on there.class = to_regclass('public.' || kept.class) and there.name = kept.name
    -- What takes any text serves as one.
    where there.type <> kept.type
        and not (kept.type = 'text' and there.type = 'character varying')
        and not (kept.type = 'integer' and there.type in ('smallint', 'bigint'));
    if v_wrong is not null then
        raise exception 'what is there cannot be worked with: %', v_wrong using
            hint = 'change the type of these columns, or rename the table, and migrate again';
    end if;
    if to_regclass('public.tasks') is not null then
        -- Not before there is such a table: the statement could not be read.
        execute
            'select string_agg(distinct quote_literal(status), '', '') from public.tasks '
            'where status::text not in '
            '(''Queued'', ''In Progress'', ''Complete'', ''Failed'', ''Cancelled'')'
            into v_unknown;
        if v_unknown is not null then
            raise exception 'public.tasks has rows of the status %', v_unknown using
                hint = 'give them one of Queued, In Progress, Complete, Failed, Cancelled, and '
                'migrate again';
        end if;
    end if;
end
$$;
