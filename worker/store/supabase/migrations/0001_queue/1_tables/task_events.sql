-- The history of tasks, written in the transaction of each change; `seq` counts a task's from 1.
create table if not exists public.task_events (
    task_id uuid not null,
    seq integer not null,
    at timestamptz not null,
    name text not null,
    data jsonb not null,
    primary key (task_id, seq)
);

-- A token that owned a task once never gets another; what came after its event says how it ended.
create unique index if not exists task_events_of_token on public.task_events ((data ->> 'token'))
where name = 'claimed';

-- What failed, when: few among many.
create index if not exists task_events_of_failures on public.task_events (at)
where name in ('failed', 'retried', 'died', 'worker_lost', 'refused');
create index if not exists task_events_of_fingerprint
on public.task_events (left(data -> 'failure' ->> 'fingerprint', 200), at)
where name in ('failed', 'retried', 'died', 'worker_lost', 'refused');

alter table public.task_events enable row level security;
