-- Between what a worker that has no more than a token may ask for: one row.
create table if not exists loop26.limits (
    one_row boolean primary key default true check (one_row),
    lease_at_most_s double precision not null default 3600,
    delay_at_most_s double precision not null default 86400,
    deaths_at_least integer not null default 2,
    deaths_at_most integer not null default 100
);

insert into loop26.limits default values on conflict do nothing;

alter table loop26.limits enable row level security;
