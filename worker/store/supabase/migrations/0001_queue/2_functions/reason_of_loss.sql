-- How a claim lost its task, by the event that ended it; that one is null where another
-- application did. Never null itself.
create or replace function loop26.reason_of_loss(
    p_task public.tasks, p_token uuid, p_ended public.task_events
) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_call text := loop26.call_that_settles(p_ended.name);
begin
    if v_call is not null and p_ended.data ->> 'token' = p_token::text then
        return format('it was settled by %s', v_call);
    elsif p_ended.name = 'worker_lost' then
        return 'its lease expired'
            || coalesce(' at ' || nullif(loop26.text_of(p_ended.data -> 'lease_expires_at'), ''), '')
            || ' and the task was taken back';
    elsif p_ended.name = 'cancelled' then
        return 'the task was cancelled'
            || coalesce(': ' || nullif(loop26.text_of(p_ended.data -> 'reason'), ''), '');
    elsif p_ended.name = 'cascaded' then
        return coalesce(nullif(p_task.error_message, ''), 'the task ended with a related one');
    elsif p_task.id is null then
        return 'the task was deleted by another application';
    end if;
    return format('the task was set to %L by another application', p_task.status);
end
$$;
