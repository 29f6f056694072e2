-- Refuse tasks that would wait for each other: for a dependency, or as a parent for its children.
create or replace function loop26.refuse_circles(p_inserted uuid[]) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_waiting uuid[];
    v_needed uuid[];
    v_left uuid[];
    v_before integer;
    v_at uuid;
    v_circle uuid[] := '{}';
begin
    with recursive reached (id) as (
        select unnest(p_inserted)
        union
        select needed.id
        from reached
        cross join lateral (
            select unnest(task.dependant_on) from public.tasks as task
            where task.id = reached.id and task.status <> 'Complete'
            union all
            select child.id from public.tasks as child
            where child.parent_id = reached.id and child.status <> 'Complete'
        ) as needed (id)
    ),
    edge (waiting, needed) as (
        select task.id, unnest(task.dependant_on) from reached join public.tasks as task using (id)
        union
        select reached.id, child.id from reached join public.tasks as child on child.parent_id = reached.id
    )
    select array_agg(waiting), array_agg(needed), array_agg(distinct waiting)
    into v_waiting, v_needed, v_left
    from edge;
    -- Who waits for nobody that waits is let go, until nobody is left, or a circle.
    loop
        v_before := cardinality(v_left);
        select array_agg(distinct waiting) into v_left
        from unnest(v_waiting, v_needed) as edge (waiting, needed)
        where waiting = any (v_left) and needed = any (v_left);
        if v_left is null then
            return;
        end if;
        exit when cardinality(v_left) = v_before;
    end loop;
    v_at := v_left[1];
    while v_at <> all (v_circle) loop
        v_circle := v_circle || v_at;
        select needed into v_at
        from unnest(v_waiting, v_needed) as edge (waiting, needed)
        where waiting = v_at and needed = any (v_left)
        limit 1;
    end loop;
    v_circle := v_circle[array_position(v_circle, v_at):] || v_at;
    perform loop26.refuse_task(
        'dependant_on',
        array_to_string(v_circle, ' → '),
        'these tasks would wait for each other for ever (an orchestrator waits for its children)'
    );
end
$$;
