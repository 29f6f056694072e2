-- What holds for every row, whoever writes it.

-- Applications name a segment's orchestrator and a task's model in the params alone, and their own
-- trace in a header of the request.
create or replace function loop26.complete_new_task() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_status text;
    v_project uuid;
begin
    new.dependant_on := array_remove(coalesce(new.dependant_on, '{}'), null);
    new.attempts := coalesce(new.attempts, 0);
    new.created_at := coalesce(new.created_at, loop26.now());
    new.parent_id := loop26.parent_of(new.parent_id, new.task_type, new.params);
    new.model := left(coalesce(new.model, loop26.model_of(new.params)), 200);
    new.trace_context := coalesce(new.trace_context, loop26.request_header('traceparent'));
    if new.dependant_on <> '{}' and new.status in ('Queued', 'In Progress') then
        new.waits_for := loop26.incomplete_of(new.dependant_on);
    elsif new.status = 'Complete' then
        perform loop26.lock_arrival(false);
    end if;
    if new.parent_id is not null and new.status = 'Queued' then
        select status, project_id into v_status, v_project from public.tasks
        where id = new.parent_id for share;
        -- Whoever may insert tasks of one project is not to fail the journeys of another.
        if v_project <> new.project_id then
            perform loop26.refuse_task(
                'parent_id', new.parent_id::text, 'is an orchestrator of another project'
            );
        end if;
        if v_status in ('Complete', 'Failed', 'Cancelled') then
            perform loop26.refuse_parent(new.parent_id, new.params);
        end if;
    end if;
    return new;
end
$$;

create or replace trigger tasks_are_completed before insert on public.tasks
for each row execute function loop26.complete_new_task();

create or replace function loop26.follow_dependencies() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    new.dependant_on := array_remove(coalesce(new.dependant_on, '{}'), null);
    if new.status in ('Queued', 'In Progress') then
        new.waits_for := loop26.incomplete_of(new.dependant_on);
    end if;
    return new;
end
$$;

create or replace trigger tasks_follow_their_dependencies
before update of dependant_on on public.tasks
for each row when (old.dependant_on is distinct from new.dependant_on)
execute function loop26.follow_dependencies();

-- Whoever completes a task, those that waited for it wait for it no more.
create or replace function loop26.release_dependants() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update public.tasks set waits_for = array_remove(waits_for, new.id)
    where dependant_on @> array[new.id] and status in ('Queued', 'In Progress');
    return new;
end
$$;

create or replace trigger tasks_release_their_dependants
after insert or update of status on public.tasks
for each row when (new.status = 'Complete')
execute function loop26.release_dependants();

create or replace function loop26.begin_history() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.record_event(
        new.id,
        'inserted',
        jsonb_strip_nulls(
            jsonb_build_object(
                'task_type', new.task_type,
                'request', nullif(current_setting('loop26.request', true), '')
            )
        ),
        new.created_at
    );
    return new;
end
$$;

create or replace trigger tasks_have_history after insert on public.tasks
for each row execute function loop26.begin_history();

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

create or replace trigger tasks_follow_the_transitions before update of status on public.tasks
for each row when (old.status is distinct from new.status)
execute function loop26.follow_transitions();
