-- What a worker asks for, within what a token may ask for; operators have it as asked.
create or replace function loop26.within_limits(
    p_asked double precision, p_least double precision, p_most double precision
) returns double precision
language sql stable set search_path = pg_catalog, pg_temp
as $$
select case
    when loop26.is_operator() then p_asked
    else greatest(p_least, least(p_asked, p_most))
end
$$;
