-- Refuse a change of status that is none, whoever makes it.
create or replace function loop26.follow_transitions() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if
        (old.status = 'Queued' and new.status in ('In Progress', 'Failed', 'Cancelled'))
        or (
            old.status = 'In Progress'
            and new.status in ('Complete', 'Failed', 'Cancelled', 'Queued')
        )
    then
        return new;
    end if;
    raise sqlstate 'PT409' using
        message = format('task %s is %L and cannot become %L', old.id, old.status, new.status);
end
$$;
