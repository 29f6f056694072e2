"""A journey out of a Jaeger: asked by its trace id, of the query service's API, version 3."""

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from telemetry.errors import (
    JaegerAddress,
    JaegerUnreachable,
    MalformedOtlp,
    NotAJaeger,
    TraceTooLarge,
    TraceUnknown,
)
from telemetry.reports.sources.exported_trace import missing_spans, trace_of
from telemetry.reports.sources.otlp_reading import read_spans
from telemetry.reports.trace import TraceModel
from telemetry.reports.wording import one_line

if TYPE_CHECKING:
    import httpx

# A span is one to two kilobytes of JSON; a journey has some thousands.
MOST_BYTES: Final = 128 * 2**20
TIMEOUT_S: Final = 10.0
UNKNOWN: Final = [
    "Jaeger keeps no locals: a frame has its file, line, function and the text of that line alone.",
    "Frames outside of the span that an exception has left first are not told.",
    "Jaeger keeps no logs.",
    "A span is exported when it has ended: what is open, or not sent yet, is not there.",
    "Records that are no spans are not exported: how many were lost in between is not known.",
    "Where native code died is told by the line that opened the innermost span: no stack is kept.",
    "The fingerprint of a death, by which others are known to be the same, is on the queue's row.",
    "What the queue did with the task is known only where the queue is at hand.",
]

_UNCOUNTED: Final = (
    "Whether all spans of the attempt have arrived is not known: its process span, which counts "
    "them, is not here, or its journal was incomplete."
)
_PORTS: Final = range(1, 65536)
_OK: Final = 200
_NOT_FOUND: Final = 404
_REDIRECTS: Final = range(300, 400)
_REFUSED: Final = (401, 403)
_JAEGERS_OWN: Final = b'"httpCode"'  # in what it says of an error
_LONGEST_SAID: Final = 120
_TRACE_ID_DIGITS: Final = 32
_SCHEMES: Final = ("http", "https")


class _Query(NamedTuple):
    """A question to a Jaeger; `shown` is its address for people, without user or password."""

    url: "httpx.URL"
    shown: str
    auth: tuple[str, str] | None


def read_trace(
    url: str, trace_id: str, task_id: str, *, timeout_s: float = TIMEOUT_S
) -> TraceModel:
    """Read a trace out of a Jaeger, in the form in which journals tell it.

    What such a source cannot know is in `UNKNOWN`, and in what `lacks` says of the model.

    Args:
        url: The query service's address, as `http://host:16686`; under a path of its own, with
            that. A user and a password in it are sent, and shown nowhere.
        trace_id: 32 hex digits, as on the task's row.
        task_id: The task that is asked about.
        timeout_s: How long the answer is waited for.

    Raises:
        JaegerAddress: The address is none, or the trace id is none.
        JaegerUnreachable: There was no answer, or not in time.
        NotAJaeger: There was, and it is no trace.
        TraceUnknown: It has no such trace.
        TraceTooLarge: It has more of it than is read.
    """
    query = _query(url, trace_id)
    body = _asked(query, trace_id, timeout_s)
    try:
        exported = read_spans(body)
    except MalformedOtlp as error:
        raise NotAJaeger(query.shown, one_line(str(error), _LONGEST_SAID)) from error
    model = trace_of(exported, trace_id.lower(), task_id)
    if not model.processes:
        raise TraceUnknown(query.shown, trace_id)
    return model


def lacks(model: TraceModel) -> list[str]:
    """Return what is known to be missing of a task's attempt, a sentence or none."""
    lost = missing_spans(model, model.task_id)
    if lost is None:
        return [_UNCOUNTED]
    counted = "1 span" if lost == 1 else f"{lost:,} spans"
    return [f"{counted} that the attempt's journal counted are not in this trace."] if lost else []


def shown(url: str) -> str:
    """Return an address for people: without the user and the password that it may have."""
    import httpx

    try:
        return one_line(str(_bare(httpx.URL(url.strip()))), _LONGEST_SAID)
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
        return one_line(url.rpartition("@")[2], _LONGEST_SAID)


def _query(url: str, trace_id: str) -> _Query:
    import httpx

    address = shown(url)
    try:
        given = httpx.URL(url.strip())
        bare = _bare(given)
        if given.scheme not in _SCHEMES or not _is_complete(given):
            raise JaegerAddress(address, "it is no http(s) URL")
        path = f"{bare.path.rstrip('/')}/api/v3/traces/{trace_id}"
        asked = bare.copy_with(path=path, params={"raw_traces": "true", "rawTraces": "true"})
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
        # Without its words: they may repeat a part of a password.
        raise JaegerAddress(address, "it is no URL") from None
    if len(trace_id) != _TRACE_ID_DIGITS or not _is_hex(trace_id):
        problem = f"a trace id has 32 hex digits, {one_line(trace_id, 40)!r} is none"
        raise JaegerAddress(address, problem)
    auth = (given.username, given.password) if given.userinfo else None
    return _Query(asked, address, auth)


def _asked(query: _Query, trace_id: str, timeout_s: float) -> bytes:
    """Return the body of the answer. Nothing of the environment has a say: no proxy, no netrc."""
    import httpx

    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "loop26"}
    client = httpx.Client(timeout=timeout_s, trust_env=False, follow_redirects=False)
    deadline = time.monotonic() + timeout_s
    try:
        with client, client.stream("GET", query.url, headers=headers, auth=query.auth) as response:
            body = _received(response, query, trace_id, deadline)
            _check(response, body, query, trace_id)
            return body
    except httpx.TimeoutException:
        raise JaegerUnreachable(query.shown, f"no answer within {timeout_s:g} s") from None
    except (
        httpx.NetworkError,
        UnicodeError,
    ) as error:  # a host's name may be none that can be asked
        said = one_line(str(error), _LONGEST_SAID) or type(error).__name__
        raise JaegerUnreachable(query.shown, said) from None
    except httpx.HTTPError as error:
        said = one_line(str(error), _LONGEST_SAID) or type(error).__name__
        raise NotAJaeger(query.shown, said) from None


def _received(response: "httpx.Response", query: _Query, trace_id: str, deadline: float) -> bytes:
    """Read a body to its end, as it is sent: an encoding that was not asked for is not undone."""
    import httpx

    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TraceTooLarge(query.shown, trace_id, MOST_BYTES)
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer does not end")
    return bytes(body)


def _check(response: "httpx.Response", body: bytes, query: _Query, trace_id: str) -> None:
    status = response.status_code
    if status == _OK:
        return
    if status == _NOT_FOUND and _JAEGERS_OWN in body:
        raise TraceUnknown(query.shown, trace_id)
    if status in _REDIRECTS:
        raise NotAJaeger(query.shown, f"HTTP {status}, it sends elsewhere, which is not followed")
    if status in _REFUSED:
        raise NotAJaeger(query.shown, f"HTTP {status}, it asks for a user and a password")
    said = one_line(body[:400].decode("utf-8", "replace"), _LONGEST_SAID)
    raise NotAJaeger(query.shown, f"HTTP {status} {said}".strip())


def _bare(url: "httpx.URL") -> "httpx.URL":
    return url.copy_with(userinfo=b"", query=None, fragment=None)


def _is_complete(url: "httpx.URL") -> bool:
    """Whether it has a host that can be one, and a port that can be one or none."""
    return bool(url.host) and "%" not in url.host and (url.port is None or url.port in _PORTS)


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in text)
