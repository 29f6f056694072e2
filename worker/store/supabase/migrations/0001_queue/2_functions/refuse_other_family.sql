-- Refuse a key that belongs to another orchestrator's child: the orchestrator would wait for
-- children that are not its own, and complete without them.
create or replace function loop26.refuse_other_family(p_given jsonb, p_there public.tasks)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    if (p_given ->> 'parent_id')::uuid is distinct from p_there.parent_id
        and p_given ->> 'parent_id' is not null
    then
        perform loop26.refuse_task(
            'idempotency_key',
            p_given ->> 'idempotency_key',
            format(
                'belongs to task %s, which is no child of %s but another''s; make the '
                'orchestrator''s id part of its children''s keys',
                p_there.id,
                p_given ->> 'parent_id'
            )
        );
    end if;
end
$$;
