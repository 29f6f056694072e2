-- A `tasks` table of an application that has had workers before, with what it has made around it.
-- {status} is the type of its status.
create table public.projects (id uuid primary key);
insert into public.projects values ('00000000-0000-0000-0000-0000000000aa');

create table public.tasks (
    id uuid primary key default gen_random_uuid(),
    task_type text not null,
    params jsonb not null,
    status {status} not null default 'Queued',
    dependant_on uuid[],
    output_location text,
    error_message text,
    attempts integer default 0,
    worker_id text,
    project_id uuid not null references public.projects on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz,
    generation_started_at timestamptz,
    generation_processed_at timestamptz,
    result_data jsonb,
    idempotency_key text unique,
    shot text
);

-- What it does at every change, which a migration is none.
create table public.changes (id uuid);
create function public.note_change() returns trigger language plpgsql as $$
begin
    insert into public.changes values (new.id);
    return new;
end
$$;
create trigger on_change after update on public.tasks
for each row execute function public.note_change();
create trigger when_replicated after update on public.tasks
for each row execute function public.note_change();
alter table public.tasks enable replica trigger when_replicated;
create trigger switched_off after update on public.tasks
for each row execute function public.note_change();
alter table public.tasks disable trigger switched_off;

alter table public.tasks enable row level security;
grant select, insert on public.tasks to authenticated;
create policy tasks_of_members on public.tasks for all to authenticated
using (project_id = '00000000-0000-0000-0000-0000000000aa');

insert into public.tasks (id, task_type, params, status, dependant_on, attempts, project_id,
    created_at, output_location, error_message, idempotency_key, shot)
values
    ('00000000-0000-0000-0000-000000000001', 'travel_orchestrator', '{"run_id": "r"}', 'Complete',
        null, 1, '00000000-0000-0000-0000-0000000000aa', '2026-01-01', 'https://x/a.mp4', null, 'a', 's'),
    ('00000000-0000-0000-0000-000000000002', 'travel_segment',
        '{"orchestrator_task_id_ref": "00000000-0000-0000-0000-000000000001"}', 'Failed',
        '{}', null, '00000000-0000-0000-0000-0000000000aa', '2026-01-02', 'it went wrong', null, 'b', null),
    ('00000000-0000-0000-0000-000000000003', 't2v', '{"model_name": "tiny_t2v"}', 'Cancelled',
        null, 0, '00000000-0000-0000-0000-0000000000aa', '2026-01-03', null, 'by hand', null, null),
    ('00000000-0000-0000-0000-000000000004', 't2v', '{"model_name": "tiny_t2v"}', 'In Progress',
        null, 1, '00000000-0000-0000-0000-0000000000aa', '2026-01-04', null, null, null, null),
    ('00000000-0000-0000-0000-000000000005', 't2v', '{"model_name": "tiny_t2v"}', 'Queued',
        null, null, '00000000-0000-0000-0000-0000000000aa', '2026-01-05', null, null, null, 's'),
    ('00000000-0000-0000-0000-000000000006', 'i2v', '{}', 'Queued',
        '{00000000-0000-0000-0000-000000000001, 00000000-0000-0000-0000-000000000005}', 0,
        '00000000-0000-0000-0000-0000000000aa', '2026-01-06', null, null, 'c', null),
    ('00000000-0000-0000-0000-000000000007', 'travel_orchestrator', '{"run_id": "r"}', 'In Progress',
        null, 1, '00000000-0000-0000-0000-0000000000aa', '2026-01-07', null, null, null, null),
    ('00000000-0000-0000-0000-000000000008', 'travel_segment',
        '{"orchestrator_task_id_ref": "00000000-0000-0000-0000-000000000007", "segment_index": 0}',
        'Complete', '{}', 1, '00000000-0000-0000-0000-0000000000aa', '2026-01-08',
        'https://x/8.mp4', null, null, null),
    ('00000000-0000-0000-0000-000000000009', 'travel_segment',
        '{"orchestrator_task_id_ref": "00000000-0000-0000-0000-000000000007", "segment_index": 1}',
        'Queued', '{}', 0, '00000000-0000-0000-0000-0000000000aa', '2026-01-09',
        null, null, null, null);
