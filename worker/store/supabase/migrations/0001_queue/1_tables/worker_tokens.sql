-- Of a token nothing is kept but what tells it when it is shown again.
create table if not exists loop26.worker_tokens (
    name text primary key,
    sha256 bytea not null unique,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

alter table loop26.worker_tokens enable row level security;
