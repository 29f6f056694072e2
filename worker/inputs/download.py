"""Stream one URL into a file, within limits of size, time and address."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from worker.inputs.deadline import Deadline
from worker.inputs.sources import input_error, shown

if TYPE_CHECKING:
    import httpcore
    import httpx

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A part of the content, or none at all, is not what was asked for.
_WHOLE = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
_SERVER_ERROR = 500
# Request timeout, too early, too many requests: the server asks for another try.
_ASKS_AGAIN = frozenset({408, 425, 429})
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one download may take.

    Attributes:
        max_bytes: Size limit of the content.
        timeout_s: Limit of the whole download, redirects included. Looking up a name has the
            resolver's own limit.
        private_addresses: Whether it may lead to loopback, private or link-local addresses.
        check: Called at least once a second; raises to stop the download.
    """

    max_bytes: int
    timeout_s: float
    private_addresses: bool
    check: Callable[[], None]


def download(url: str, file: BinaryIO, limits: Limits) -> int:
    """Write the content of an http(s) URL to `file` and return its size.

    Raises:
        InputError: Names the URL; `retryable` where another try may succeed: a server error, a
            broken connection, silence.
    """
    import httpcore
    import httpx

    from worker.inputs.connection import GuardedNetwork

    deadline = Deadline.after(limits.timeout_s, source=url, check=limits.check)
    network = GuardedNetwork(deadline, private_addresses=limits.private_addresses)
    try:
        with (
            httpcore.ConnectionPool(network_backend=network) as pool,
            _response(pool, url) as response,
        ):
            _check_answer(response, url, limits)
            return _written(response, url, limits, file)
    except httpcore.TimeoutException as error:
        raise input_error(url, "the server is silent", retryable=True) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise input_error(url, f"the connection failed: {error}", retryable=True) from error
    except httpx.InvalidURL:
        # Without its words: they may repeat a part of a password.
        raise input_error(url, "is no URL, or leads to what is none") from None


@contextmanager
def _response(pool: "httpcore.ConnectionPool", source: str) -> Iterator["httpcore.Response"]:
    """Open the response at the end of the redirects; each hop passes the address guard."""
    import httpx

    url = httpx.URL(source)
    for _ in range(MAX_REDIRECTS + 1):
        if url.scheme not in _SCHEMES or not url.host:
            raise input_error(source, f"leads to {shown(str(url))!r}, which is no http(s) URL")
        with _sent(pool, url) as response:
            location = _header(response, "location") if response.status in _REDIRECTS else ""
            if not location:
                yield response
                return
        if httpx.URL(location).userinfo:
            problem = f"leads to {shown(location)!r} under the name of a user, which is refused"
            raise input_error(source, problem)
        url = url.join(location)
    raise input_error(source, f"more than {MAX_REDIRECTS} redirects")


@contextmanager
def _sent(pool: "httpcore.ConnectionPool", url: "httpx.URL") -> Iterator["httpcore.Response"]:
    import httpcore

    headers = [
        ("host", url.netloc.decode("ascii")),
        ("accept", "*/*"),
        ("accept-encoding", "identity"),
        ("user-agent", "loop26"),
    ]
    if url.userinfo:
        user = base64.b64encode(f"{url.username}:{url.password}".encode())
        headers.append(("authorization", f"Basic {user.decode('ascii')}"))
    target = httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
    with pool.stream("GET", target, headers=headers) as response:
        yield response


def _check_answer(response: "httpcore.Response", url: str, limits: Limits) -> None:
    """Refuse what is not the content, whole and as it is, or is announced to be too large."""
    status = response.status
    if status not in _WHOLE:
        asks_again = status >= _SERVER_ERROR or status in _ASKS_AGAIN
        raise input_error(url, f"the server answered {_named(status)}", retryable=asks_again)
    encoding = _header(response, "content-encoding").strip().lower()
    if encoding not in {"", "identity"}:
        problem = f"the server sends it as {encoding[:40]!r}, and was asked to send it as it is"
        raise input_error(url, problem)
    announced = _header(response, "content-length")
    if announced:  # httpcore has checked that it is a number
        _check_size(int(announced), url, limits)


def _written(response: "httpcore.Response", url: str, limits: Limits, file: BinaryIO) -> int:
    received = 0
    for chunk in response.iter_stream():
        received += len(chunk)
        _check_size(received, url, limits)
        file.write(chunk)
    return received


def _check_size(size: int, url: str, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise input_error(url, f"is larger than the limit of {limits.max_bytes:,} bytes")


def _named(status: int) -> str:
    # By the standard's words: the server's own may be of any length.
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _header(response: "httpcore.Response", name: str) -> str:
    """Return the first header of a name, or ""."""
    wanted = name.encode("ascii")
    found = (value for key, value in response.headers if key.lower() == wanted)
    return next(found, b"").decode("latin-1")
