-- What a worker's token tells of an attempt, cut where it would fill the disk: it may tell as often as
-- it likes, and no settle is to be lost for its size. Large parts go, long texts are shortened.
create or replace function loop26.within_size(p_value jsonb) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp
as $$
select case
    when loop26.is_operator() or pg_column_size(p_value) <= 262144 then p_value
    when jsonb_typeof(p_value) = 'object' then (
        select coalesce(jsonb_object_agg(
            left(key, 200),
            case
                when jsonb_typeof(value) = 'string' then to_jsonb(left(value #>> '{}', 2000))
                else value
            end
        ), '{}')
        from (
            select key, value from jsonb_each(p_value)
            where jsonb_typeof(value) = 'string' or pg_column_size(value) <= 2000
            order by key
            limit 100
        ) as small
    )
end
$$;
