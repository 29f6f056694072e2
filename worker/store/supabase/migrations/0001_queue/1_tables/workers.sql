-- A table that is there already is kept, with its rows and its grants.
do $$
begin
    if to_regclass('public.workers') is not null then
        return;
    end if;
    create table public.workers (
        id text primary key,
        status text not null,
        last_heartbeat timestamptz not null,
        current_model text,
        metadata jsonb not null default '{}'
    );
    alter table public.workers enable row level security;
    revoke all on public.workers from public, anon, authenticated, service_role;
end
$$;

alter table public.workers
add column if not exists status text,
add column if not exists last_heartbeat timestamptz,
add column if not exists current_model text,
add column if not exists metadata jsonb default '{}',
add column if not exists created_at timestamptz not null default now(),
add column if not exists token_name text not null default '';
