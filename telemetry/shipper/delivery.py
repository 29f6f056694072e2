"""One POST to a telemetry backend, and what its answer means for what was sent."""

import gzip
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from telemetry.errors import Unencodable

if TYPE_CHECKING:
    import urllib3

_TOO_LARGE: Final = 413
_SUCCESS: Final = range(200, 300)
# Refused for what it is: sending it again would be refused again. Every other answer speaks of
# the moment, the address or the headers, which somebody will mend: 401, 403, 404, a redirect.
_REFUSED: Final = frozenset({400, 422})
_REDIRECT: Final = range(300, 400)
_MISPLACED: Final = frozenset({401, 403, 404, 405, 407, 410, 415, *_REDIRECT})
_ABSENT: Final = frozenset({404, 405, 410, 501})


class Verdict(Enum):
    """What becomes of a batch."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # for what is in it: sent in halves, until what is alone is passed over
    TOO_LARGE = "too large"  # likewise
    LATER = "later"  # the backend is down, busy, not where it was sought, or not for us


class Answer(NamedTuple):
    """A backend's answer.

    `status` is HTTP's, 0 where there was no answer. `refused` counts the items of an accepted batch
    that the backend did not take, `held_back` those that it was not asked to take, to keep a quota;
    `retry_after_s` is what it asked for, 0.0 if nothing.
    `unanswered` says that there was no answer though the request had gone out: whether the backend
    has taken it, HTTP gives no way to know.
    """

    verdict: Verdict
    reason: str = ""
    refused: int = 0
    retry_after_s: float = 0.0
    body: bytes = b""
    status: int = 0
    unanswered: bool = False
    held_back: int = 0

    @property
    def absent(self) -> bool:
        """Whether the backend answered that it has no place for this kind of telemetry."""
        return self.status in _ABSENT


@contextmanager
def encoding() -> Iterator[None]:
    """Turn what goes wrong in the block into `Unencodable`, but for what is not the items' fault.

    A missing module, no memory and no file speak of this machine: they pass as they are.
    """
    try:
        yield
    except (ImportError, MemoryError, OSError):
        raise
    except Exception as error:
        raise Unencodable(f"{type(error).__name__}: {error}") from error


class Post:
    """Sends to one address, one request at a time, over a kept connection.

    urllib3 and not httpx: httpx logs every request at INFO, which the supervisor would journal,
    ship, and so never come to rest.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, compress: bool) -> None:
        self.url = url
        self._headers = dict(headers)
        self._compress = compress
        if compress:
            self._headers["Content-Encoding"] = "gzip"
        self._pool: urllib3.PoolManager | None = None

    def send(self, body: bytes, timeout_s: float) -> Answer:
        """Send a body and judge the answer.

        Raises nothing: without an answer, be it for a backend that is not there or a header that
        cannot be written, what was sent is to be sent later.
        """
        try:
            response = self._request(body, timeout_s)
        except Exception as error:  # noqa: BLE001 - see above
            reason = f"{type(error).__name__}: {error}"
            return Answer(Verdict.LATER, reason, unanswered=_went_out(error))
        return _judge(response.status, response.headers, response.data)

    def _request(self, body: bytes, timeout_s: float) -> "urllib3.BaseHTTPResponse":
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(num_pools=1, maxsize=1)
        return self._pool.request(
            "POST",
            self.url,
            body=gzip.compress(body, compresslevel=5) if self._compress else body,
            headers=self._headers,
            timeout=urllib3.Timeout(total=timeout_s),
            retries=False,
            redirect=False,
        )

    def close(self) -> None:
        """Close the connection; a later `send` opens another."""
        if self._pool is not None:
            self._pool.clear()
            self._pool = None


def _judge(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    if status in _SUCCESS:
        return Answer(Verdict.ACCEPTED, body=body, status=status)
    said = body[:200].decode("utf-8", "replace").strip()
    reason = f"HTTP {status} {said}".strip()
    if status == _TOO_LARGE:
        return Answer(Verdict.TOO_LARGE, reason, body=body, status=status)
    if status in _REFUSED:
        return Answer(Verdict.REFUSED, reason, body=body, status=status)
    if status in _REDIRECT:
        reason += f" (to {headers.get('location', 'nowhere')})"
    if status in _MISPLACED:
        reason += "; look at the backend's address and headers"
    asked_s = _seconds(headers.get("retry-after"))
    return Answer(Verdict.LATER, reason, retry_after_s=asked_s, body=body, status=status)


def _went_out(error: Exception) -> bool:
    """Whether a request may have been with the backend when this ended the wait for its answer."""
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    return isinstance(error, ReadTimeoutError | ProtocolError)


def _seconds(retry_after: str | None) -> float:
    """Parse a Retry-After in seconds; a date is left to our own backoff."""
    try:
        seconds = float(retry_after or 0)
    except ValueError:
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
