# ruff: noqa: INP001 - a script, run by hand
"""Prints lines for .env: the passwords and keys that the profiles `queue` and `bugsink` need.

python3 deploy/make_secrets.py >> .env

Needs nothing but Python. Keys are JWTs that PostgREST takes: signed with PGRST_JWT_SECRET (HS256),
each for one role. They end when that secret is replaced.
"""

import base64
import hashlib
import hmac
import json
import secrets


def key(secret: str, role: str) -> str:
    """Make a key for a role."""
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'role': role})}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def _part(value: dict[str, str]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main() -> None:
    """Print them, new ones each time."""
    jwt_secret = secrets.token_hex(32)
    lines = {
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "AUTHENTICATOR_PASSWORD": secrets.token_hex(24),
        "PGRST_JWT_SECRET": jwt_secret,
        "SUPABASE_PUBLISHABLE_KEY": key(jwt_secret, "anon"),
        "SUPABASE_SECRET_KEY": key(jwt_secret, "service_role"),
        "BUGSINK_SECRET_KEY": secrets.token_hex(32),
    }
    for name, value in lines.items():
        print(f"{name}={value}")  # noqa: T201 - it is what this is for


if __name__ == "__main__":
    main()
