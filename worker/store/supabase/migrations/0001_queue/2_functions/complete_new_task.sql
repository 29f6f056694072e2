-- Complete a row that is inserted: applications name a segment's orchestrator and a task's model in the
-- params alone, and their own trace in a header of the request.
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
