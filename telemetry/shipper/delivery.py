"""One POST to a telemetry backend, and what its answer means for what was sent."""

import gzip
import math
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import urllib3

_TOO_LARGE: Final = 413
_SUCCESS: Final = range(200, 300)
# Refused for what it is, not for when it came: sending it again would be refused again.
_PERMANENT: Final = frozenset(range(300, 500)) - {408, 425, 429}


class Verdict(Enum):
    """What becomes of a batch."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # for good: it is counted and passed over
    TOO_LARGE = "too large"  # to be sent in halves
    LATER = "later"  # the backend is down or busy


class Answer(NamedTuple):
    """A backend's answer.

    `refused` counts the items of an accepted batch that the backend did not take; `retry_after_s`
    is what it asked for, 0.0 if nothing.
    """

    verdict: Verdict
    reason: str = ""
    refused: int = 0
    retry_after_s: float = 0.0
    body: bytes = b""


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
        """Send a body and judge the answer. Raises nothing for a backend that is not there."""
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(num_pools=1, maxsize=1)
        data = gzip.compress(body, compresslevel=5) if self._compress else body
        try:
            response = self._pool.request(
                "POST",
                self.url,
                body=data,
                headers=self._headers,
                timeout=urllib3.Timeout(total=timeout_s),
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return Answer(Verdict.LATER, f"{type(error).__name__}: {error}")
        return _judge(response.status, response.headers.get("retry-after"), response.data)

    def close(self) -> None:
        """Close the connection; a later `send` opens another."""
        if self._pool is not None:
            self._pool.clear()
            self._pool = None


def _judge(status: int, retry_after: str | None, body: bytes) -> Answer:
    if status in _SUCCESS:
        return Answer(Verdict.ACCEPTED, body=body)
    reason = f"HTTP {status}"
    if status == _TOO_LARGE:
        return Answer(Verdict.TOO_LARGE, reason, body=body)
    if status in _PERMANENT:
        said = body[:200].decode("utf-8", "replace").strip()
        return Answer(Verdict.REFUSED, f"{reason} {said}".strip(), body=body)
    return Answer(Verdict.LATER, reason, retry_after_s=_seconds(retry_after), body=body)


def _seconds(retry_after: str | None) -> float:
    """Parse a Retry-After in seconds; a date is left to our own backoff."""
    try:
        seconds = float(retry_after or 0)
    except ValueError:
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
