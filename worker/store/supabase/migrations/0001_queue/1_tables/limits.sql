-- Between what a worker that has no more than a token may ask for: one row.
create table if not exists loop26.limits (
    one_row boolean primary key default true check (one_row),
    lease_at_most_s double precision not null default 3600,
    delay_at_most_s double precision not null default 86400,
    deaths_at_least integer not null default 2,
    deaths_at_most integer not null default 100,
    -- In sweeps, which end what others held: at which death a task fails, and of which type at another;
    -- whether workers may say it themselves.
    max_deaths integer not null default 3,
    max_deaths_by_type jsonb not null default '{}',
    sweep_as_asked boolean not null default false
);

insert into loop26.limits default values on conflict do nothing;

alter table loop26.limits enable row level security;
