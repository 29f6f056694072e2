-- Let a worker pass: by its token, or as an operator. Returns the token's name, '' without one.
create or replace function loop26.authorize_worker() returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_given text := loop26.request_header('x-worker-token');
    v_token loop26.worker_tokens;
    v_now timestamptz := loop26.now();
begin
    perform loop26.bound_waiting();
    if loop26.is_operator() then
        return '';
    end if;
    if coalesce(v_given, '') = '' then
        raise sqlstate 'PT401' using
            message = 'a worker token is needed and none was sent',
            hint = 'make one with: loop26 worker-token create NAME';
    end if;
    select * into v_token from loop26.worker_tokens
    where sha256 = sha256(convert_to(v_given, 'UTF8'));
    if not found then
        raise sqlstate 'PT401' using
            message = 'the worker token is unknown to this queue',
            hint = 'make one with: loop26 worker-token create NAME';
    elsif v_token.revoked_at is not null then
        raise sqlstate 'PT401' using
            message = format('the worker token %L was revoked at %s', v_token.name, v_token.revoked_at),
            hint = 'make another with: loop26 worker-token create NAME';
    elsif v_token.expires_at <= v_now then
        raise sqlstate 'PT401' using
            message = format('the worker token %L expired at %s', v_token.name, v_token.expires_at),
            hint = 'make another with: loop26 worker-token create NAME';
    end if;
    -- To the minute, and where nobody else is at it: many workers may have this token, and none of
    -- them waits for another's call.
    if coalesce(v_token.last_used_at < v_now - interval '1 minute', true) then
        perform 1 from loop26.worker_tokens where name = v_token.name
        for no key update skip locked;
        if found then
            update loop26.worker_tokens set last_used_at = v_now where name = v_token.name;
        end if;
    end if;
    return v_token.name;
end
$$;
