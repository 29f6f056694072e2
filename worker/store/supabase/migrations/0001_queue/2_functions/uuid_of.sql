-- Read a task's id; null where the text is none.
create or replace function loop26.uuid_of(p_text text) returns uuid
language sql immutable set search_path = pg_catalog, pg_temp
as $$
select case
    when p_text ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then p_text::uuid
end
$$;
