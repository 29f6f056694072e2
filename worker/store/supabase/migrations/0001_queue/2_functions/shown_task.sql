-- A task as the API shows it: without what would let another act for its worker.
create or replace function loop26.shown_task(p_task public.tasks) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp
as $$ select to_jsonb(p_task) - array['claim_token', 'claimed_by', 'seq'] $$;
