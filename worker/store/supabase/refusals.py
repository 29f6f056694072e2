"""What an answer that is none means: try again, or say at once what is wrong and the way out."""

import json
import re
from typing import Final

import httpx
from postgrest.exceptions import APIError

from worker.errors import (
    InvalidTask,
    QueueError,
    QueueForbidden,
    QueueIncompatible,
    QueueUnavailable,
    WorkerError,
)

# By the first characters of an SQLSTATE, or a PostgREST code: the same call may succeed later.
_PASSING: Final = (
    "08",  # connection exceptions
    "25006",  # a standby, or a project that is read-only until it has room again
    "25P03",  # whoever was to end the transaction did not do so in time
    "40001",  # serialization failure
    "40P01",  # deadlock
    "53",  # out of connections, of memory, of disk
    "55P03",  # lock not available
    "57014",  # the statement took too long
    "57P0",  # the server stops, starts or recovers
    "58",  # the server's disk fails it
    "PGRST000",
    "PGRST001",
    "PGRST002",  # the schema cache is being loaded
    "PGRST003",  # no connection in the pool in time
)
# Of servers and of proxies; 520 and more are Cloudflare's, which Supabase is behind.
_PASSING_STATUS: Final = (408, 425, 429, *range(500, 505), *range(520, 531))
_FORBIDDEN: Final = ("42501", "PT401", "PT403", "PGRST301", "PGRST302", "PGRST303", "401", "403")
_MISSING: Final = ("PGRST202", "PGRST203", "PGRST205", "42883", "42P01", "3F000")
_BAD_VALUE: Final = ("22", "54")  # data exceptions; nested too deeply
_REFUSED_TASK: Final = "PT422"
# The grant's own answer, of a function that no worker may call.
_OURS: Final = re.compile(r"for function loop26_")
_FOR_OPERATORS: Final = "it is for operators: set SUPABASE_SECRET_KEY where they work"
_NO_KEY: Final = (
    "the key is none of this project's: see SUPABASE_PUBLISHABLE_KEY of a worker, "
    "SUPABASE_SECRET_KEY of an operator"
)
_SQLSTATE: Final = 5  # characters


def refusal_of(error: Exception, status: int | None, where: str) -> WorkerError:
    """Return what to raise for an error of the client.

    Args:
        error: An `APIError`, or one of httpx.
        status: Of the HTTP answer; None where there was none.
        where: Names the queue, for people.
    """
    if isinstance(error, httpx.LocalProtocolError):
        # It would show the header, which may be a key.
        return QueueError(f"queue {where} cannot be asked: a key or a token is none")
    if isinstance(error, httpx.UnsupportedProtocol):
        return QueueError(f"queue {where} cannot be asked: {_said(error)}")
    if isinstance(error, httpx.TransportError | httpx.DecodingError):
        return QueueUnavailable(f"queue {where} cannot be reached: {_said(error)}")
    if not isinstance(error, APIError):
        return QueueError(f"queue {where}: {_said(error)}")
    return _refusal_of_api(error, status, where)


def _refusal_of_api(error: APIError, status: int | None, where: str) -> WorkerError:
    code, message = error.code or "", error.message or "no message"
    said = f"{message} ({code or status})"
    if _passes(code, status) or _broke_off(error):
        return QueueUnavailable(f"queue {where} cannot answer now: {said}")
    if code in _FORBIDDEN or status in (401, 403):
        hint = error.hint or _way_out(code, message)
        return QueueForbidden(f"queue {where} refuses: {said}{'; ' if hint else ''}{hint}")
    if code in _MISSING:
        return QueueIncompatible(
            f"queue {where} lacks what this version calls: {said}; "
            "run `loop26 migrate`, or wait a moment if that was just done"
        )
    return _invalid(error, message) or QueueError(f"queue {where}: {said}")


def _way_out(code: str, message: str) -> str:
    """Say what to do of a refusal that has no hint of its own."""
    if code.startswith("PGRST30"):
        return _NO_KEY
    return _FOR_OPERATORS if _OURS.search(message) else ""


def _passes(code: str, status: int | None) -> bool:
    return code.startswith(_PASSING) or (status in _PASSING_STATUS and not _is_ours(code))


def _broke_off(error: APIError) -> bool:
    """Whether the database went away in mid-call: PostgREST has no code to tell then, and says 400.

    A page of a proxy's is told by its status, which the client takes for a code.
    """
    return not (error.code or error.message)


def _is_ours(code: str) -> bool:
    """Whether the database itself has judged the call, whatever HTTP made of it.

    The client gives a proxy's page its status for a code: 429 is of no class 42.
    """
    return len(code) == _SQLSTATE and code.startswith(("PT", "22", "23", "42", "54", "P0"))


def _invalid(error: APIError, message: str) -> InvalidTask | None:
    """Read what is wrong with a task; None where it is no task that was refused."""
    code = error.code or ""
    if code != _REFUSED_TASK:
        problem = f"cannot be kept by the queue ({code})"
        return InvalidTask("", message, problem) if code.startswith(_BAD_VALUE) else None
    try:
        told = json.loads(str(error.details))
        return InvalidTask(told["field"], told["value"], told["problem"])
    except (ValueError, TypeError, KeyError):
        return InvalidTask("", message, "is refused by the queue")


def _said(error: Exception) -> str:
    return f"{error}" or type(error).__name__
