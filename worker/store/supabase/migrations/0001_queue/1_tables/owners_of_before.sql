-- Only who owns a table may add to it: a database's owner need not own all that is in it.
do $$
declare
    v_table record;
begin
    select format('public.%I', relname) as name, relowner::regrole as owner into v_table
    from pg_catalog.pg_class
    where oid in (
            to_regclass('public.tasks'),
            to_regclass('public.workers'),
            to_regclass('public.task_events')
        )
        and not pg_has_role(relowner, 'usage')
    order by relname
    limit 1;
    if found then
        raise insufficient_privilege using
            message = format(
                'table %s belongs to %s, and %I may not change it',
                v_table.name, v_table.owner, current_user
            ),
            hint = format(
                'connect as %s, or have it say: alter table %s owner to %I',
                v_table.owner, v_table.name, current_user
            );
    end if;
end
$$;
