-- Insert all of the tasks or none; return their ids, in order.
create or replace function public.loop26_insert_tasks(p_tasks jsonb, p_request uuid default null)
returns uuid[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.authorize_operator();
    return loop26.add_tasks(p_tasks, p_request, loop26.now());
end
$$;
