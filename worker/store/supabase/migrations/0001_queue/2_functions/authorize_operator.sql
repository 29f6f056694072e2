-- Let nobody pass but an operator. The grants say the same: this holds when they are lost.
create or replace function loop26.authorize_operator() returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    perform loop26.bound_waiting();
    if not loop26.is_operator() then
        raise sqlstate 'PT403' using
            message = 'this is for operators, with the service key',
            hint = 'set SUPABASE_SECRET_KEY where operators work, and nowhere else';
    end if;
end
$$;
