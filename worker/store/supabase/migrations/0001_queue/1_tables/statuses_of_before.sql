-- The status of an older application's tasks stays as it is, a text or an enumeration, where it
-- takes the five that there are and its rows have no other.
do $$
declare
    v_statuses constant text[] := array['Queued', 'In Progress', 'Complete', 'Failed', 'Cancelled'];
    v_column record;
    v_rule record;
    v_status text;
    v_by text;
    v_refused text;
    v_advice text;
    v_mending text[] := '{}';
    v_unknown text;
begin
    select
        attrelid,
        attnum,
        format_type(atttypid, atttypmod) as type,
        typtype = 'e' as is_enum,
        coalesce(nullif(typbasetype, 0), atttypid) in ('text'::regtype, 'varchar'::regtype)
            as is_text
    into v_column
    from pg_catalog.pg_attribute
    join pg_catalog.pg_type on pg_type.oid = atttypid
    where attrelid = to_regclass('public.tasks') and attname = 'status';
    if not found then
        return;
    end if;
    if not (v_column.is_enum or v_column.is_text) then
        raise exception 'public.tasks.status is %, not text and no enumeration', v_column.type using
            hint = 'change its type, or rename the table, and migrate again';
    end if;

    -- Tried out on a table that is gone when this ends. Rules about other columns, too, are the
    -- application's: which rows they take cannot be told from the status.
    execute 'create table loop26.trial as select status from public.tasks with no data';
    for v_rule in
        select conname as name, pg_get_constraintdef(oid) as definition
        from pg_catalog.pg_constraint
        where conrelid = v_column.attrelid
            and contype in ('c', 'f')
            and conkey = array[v_column.attnum]
    loop
        execute format('alter table loop26.trial add constraint %I %s', v_rule.name, v_rule.definition);
    end loop;
    foreach v_status in array v_statuses loop
        begin
            execute format('insert into loop26.trial values (%L)', v_status);
        exception
            when
                check_violation or foreign_key_violation or invalid_text_representation
                or string_data_right_truncation
            then
                get stacked diagnostics v_by = constraint_name;
                v_refused := concat_ws(', ', v_refused, quote_literal(v_status));
                v_advice := case
                    when v_by <> '' then format('let its constraint %I take it', v_by)
                    when v_column.is_enum
                        then format('alter type %s add value %L', v_column.type, v_status)
                    else 'alter table public.tasks alter column status type text'
                end;
                v_mending := array_remove(v_mending, v_advice) || v_advice;
        end;
    end loop;
    execute 'drop table loop26.trial';
    if v_refused is not null then
        raise exception 'public.tasks.status takes no %', v_refused using
            hint = array_to_string(v_mending, '; ') || ', and migrate again';
    end if;

    execute
        'select string_agg(distinct quote_literal(status), '', '') from public.tasks '
        'where status::text <> all ($1)'
        into v_unknown
        using v_statuses;
    if v_unknown is not null then
        raise exception 'public.tasks has rows of the status %', v_unknown using
            hint = 'give them one of Queued, In Progress, Complete, Failed, Cancelled, and '
            'migrate again';
    end if;
end
$$;
