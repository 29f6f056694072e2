create table if not exists public.workers (
    id text primary key,
    status text not null,
    last_heartbeat timestamptz not null,
    current_model text,
    metadata jsonb not null default '{}'
);

alter table public.workers
add column if not exists current_model text,
add column if not exists metadata jsonb not null default '{}',
add column if not exists created_at timestamptz not null default now(),
add column if not exists token_name text not null default '';

alter table public.workers enable row level security;
