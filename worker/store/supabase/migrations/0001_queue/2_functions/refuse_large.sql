-- Refuse of a worker what would fill the disk: it may write what it says of itself and its task, and
-- as often as it likes.
create or replace function loop26.refuse_large(p_what text, p_value jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    if not loop26.is_operator() and pg_column_size(p_value) > 65536 then
        raise sqlstate '22023' using message = format('%s is larger than 64 KiB', p_what);
    end if;
end
$$;
