"""Tokens that let workers claim: made here, shown once; the queue keeps their hashes."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from worker.errors import InvalidTask, QueueError
from worker.store.supabase.calls import Calls

PREFIX: Final = "l26w_"  # so that scanners for leaked secrets can know one
_BYTES: Final = 32
_LONGEST_NAME: Final = 100


class TokenNameTaken(QueueError):
    """Raised for the name of a token that was made before, revoked or not."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a worker token {name!r} was made before; choose another name, "
            "`loop26 worker-token list` shows all"
        )
        self.name = name


class NoSuchToken(QueueError):
    """Raised for a name that no token has."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no worker token is named {name!r}; `loop26 worker-token list` shows all")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerToken:
    """What the queue knows of a token; `status` is valid, revoked or expired."""

    name: str
    status: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerTokens:
    """The tokens of a queue, for its operators."""

    call: Calls = field(repr=False)

    def create(self, name: str, *, expires_at: datetime | None) -> str:
        """Make a token and return it: nobody can read it again.

        Raises `InvalidTask` for a name that is none, `TokenNameTaken`, `QueueForbidden`.
        """
        if not _is_name(name):
            raise InvalidTask("NAME", name, "must be 1 to 100 characters that can be printed")
        token = PREFIX + secrets.token_urlsafe(_BYTES)
        told = {
            "p_name": name,
            "p_sha256": hashlib.sha256(token.encode()).hexdigest(),
            "p_expires_at": None if expires_at is None else expires_at.isoformat(),
        }
        if not self.call("create_worker_token", told)["created"]:
            raise TokenNameTaken(name)
        return token

    def revoke(self, name: str) -> None:
        """Revoke a token from now on; again changes nothing. Raises `NoSuchToken`."""
        if not _is_name(name) or not self.call("revoke_worker_token", {"p_name": name}):
            raise NoSuchToken(name)

    def listed(self, now: datetime) -> list[WorkerToken]:
        """List all that were made, by name."""
        return [_token_of(row, now) for row in self.call("list_worker_tokens", {})]


def _is_name(name: str) -> bool:
    return bool(name.strip()) and len(name) <= _LONGEST_NAME and name.isprintable()


def _token_of(row: dict[str, Any], now: datetime) -> WorkerToken:
    expires_at, revoked_at = _moment(row["expires_at"]), _moment(row["revoked_at"])
    status = "valid"
    if revoked_at is not None:
        status = "revoked"
    elif expires_at is not None and expires_at <= now:
        status = "expired"
    return WorkerToken(
        name=row["name"],
        status=status,
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=expires_at,
        revoked_at=revoked_at,
        last_used_at=_moment(row["last_used_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
