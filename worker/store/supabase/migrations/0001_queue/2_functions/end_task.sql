-- Fail or cancel one task, by itself or with its family.
create or replace function loop26.end_task(
    p_task_id uuid, p_status text, p_message text, p_error jsonb, p_deaths integer, p_now timestamptz
) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    v_status public.tasks.status%type := p_status;
begin
    update public.tasks
    set status = v_status,
        error_message = p_message,
        error = p_error,
        deaths = deaths + p_deaths,
        claim_token = null,
        claimed_by = null,
        lease_expires_at = null,
        updated_at = p_now
    where id = p_task_id;
end
$$;
