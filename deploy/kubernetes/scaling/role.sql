-- A role for KEDA that may count tasks and read nothing of them: what they are is not its business.
-- Run it once, as the owner of the queue, then give the role a password:  \password loop26_keda
create role loop26_keda login connection limit 5;
alter role loop26_keda set statement_timeout = '5s';
grant usage on schema public to loop26_keda;
grant select (status, waits_for, run_after, lease_expires_at) on public.tasks to loop26_keda;
-- Row security is on for every table of the queue: without a policy it would count none.
create policy loop26_keda_counts on public.tasks for select to loop26_keda using (true);
