"""What an answer that is none means: try again, or say at once what is wrong and the way out."""

import json
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
    "40001",  # serialization failure
    "40P01",  # deadlock
    "53300",  # too many connections
    "55P03",  # lock not available
    "57014",  # the statement took too long
    "57P0",  # the server stops, starts or recovers
    "PGRST000",
    "PGRST001",
    "PGRST002",  # the schema cache is being loaded
    "PGRST003",  # no connection in the pool in time
)
_PASSING_STATUS: Final = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
_FORBIDDEN: Final = ("42501", "PT401", "PT403", "PGRST301", "PGRST302", "PGRST303", "401", "403")
_MISSING: Final = ("PGRST202", "PGRST203", "PGRST205", "42883", "42P01", "3F000")
_BAD_VALUE: Final = ("22", "54001")  # data exceptions; nested too deeply
_REFUSED_TASK: Final = "PT422"


def refusal_of(error: Exception, status: int | None, where: str) -> WorkerError:
    """Return what to raise for an error of the client.

    Args:
        error: An `APIError`, or one of httpx.
        status: Of the HTTP answer; None where there was none.
        where: Names the queue, for people.
    """
    if isinstance(error, httpx.TransportError):
        return QueueUnavailable(f"queue {where} cannot be reached: {_said(error)}")
    if not isinstance(error, APIError):
        return QueueError(f"queue {where}: {_said(error)}")
    return _refusal_of_api(error, status, where)


def _refusal_of_api(error: APIError, status: int | None, where: str) -> WorkerError:
    code, message = error.code or "", error.message or "no message"
    said = f"{message} ({code or status})"
    if code.startswith(_PASSING) or (status in _PASSING_STATUS and not _is_ours(code)):
        return QueueUnavailable(f"queue {where} cannot answer now: {said}")
    if code in _FORBIDDEN or status in (401, 403):
        hint = f"; {error.hint}" if error.hint else ""
        return QueueForbidden(f"queue {where} refuses: {said}{hint}")
    if code in _MISSING:
        return QueueIncompatible(
            f"queue {where} lacks what this version calls: {said}; "
            "run `loop26 migrate`, or wait a moment if that was just done"
        )
    return _invalid(error, message) or QueueError(f"queue {where}: {said}")


def _is_ours(code: str) -> bool:
    """Whether the database itself has judged the call, whatever HTTP made of it."""
    return code.startswith(("PT", "22", "23", "42", "54", "P0"))


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
