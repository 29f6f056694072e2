"""Stream one URL into a file, within limits of size, time and address."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from worker.errors import InputError
from worker.inputs.addresses import IPAddress, resolve_host
from worker.inputs.sources import shown

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
# A server that sends nothing for this long is taken for dead, whatever the whole limit is.
SILENCE_S = 30.0
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
# Request timeout, too early, too many requests: the server asks for another try.
_ASKS_AGAIN = frozenset({408, 425, 429})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one download may take.

    Attributes:
        max_bytes: Size limit of the content.
        timeout_s: Limit of the whole download, redirects included.
        private_addresses: Whether it may lead to loopback, private or link-local addresses.
        check: Called between chunks; raises to stop the download.
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
    import httpx

    attempt = _Attempt(url=url, limits=limits, deadline=time.monotonic() + limits.timeout_s)
    try:
        with attempt.response() as response:
            return attempt.written(response, file)
    except httpx.TimeoutException as error:
        raise attempt.passing(f"the server was silent for {attempt.silence_s:g} s") from error
    except httpx.TransportError as error:
        raise attempt.passing(f"the connection failed: {error}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise attempt.refused(f"cannot be downloaded: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    url: str
    limits: Limits
    deadline: float

    @property
    def silence_s(self) -> float:
        return min(SILENCE_S, self.limits.timeout_s)

    def refused(self, problem: str) -> InputError:
        return InputError(shown(self.url), problem)

    def passing(self, problem: str) -> InputError:
        error = self.refused(problem)
        error.retryable = True
        return error

    @contextmanager
    def response(self) -> Iterator["httpx.Response"]:
        """Open the response at the end of the redirects; each hop passes the address guard."""
        import httpx

        # A proxy of the environment would connect past the address guard: trust_env is off.
        with httpx.Client(trust_env=False, timeout=self.silence_s) as client:
            url = httpx.URL(self.url)
            for _ in range(MAX_REDIRECTS + 1):
                self.in_time()
                response = self.sent(client, url)
                try:
                    if not response.has_redirect_location:
                        yield response
                        return
                    url = url.join(response.headers["location"])
                finally:
                    response.close()
        raise self.refused(f"more than {MAX_REDIRECTS} redirects")

    def sent(self, client: "httpx.Client", url: "httpx.URL") -> "httpx.Response":
        """Send one request to the first address of the host that answers."""
        import httpx

        if url.scheme not in _PORTS or not url.host:
            raise self.refused(f"leads to {shown(str(url))!r}, which is no http(s) URL")
        addresses = resolve_host(
            url.host,
            url.port or _PORTS[url.scheme],
            private_addresses=self.limits.private_addresses,
            source=shown(self.url),
        )
        for address in addresses[:-1]:
            try:
                return client.send(_request(client, url, address), stream=True)
            except httpx.ConnectError:
                continue  # the next address may be reachable, as IPv4 is where IPv6 is not
        return client.send(_request(client, url, addresses[-1]), stream=True)

    def written(self, response: "httpx.Response", file: BinaryIO) -> int:
        """Copy the body, counting bytes and time."""
        self.check_status(response)
        announced = response.headers.get("content-length", "")
        if announced.isdecimal():
            self.check_size(int(announced))
        received = 0
        # As they arrive: chunks of a fixed size would wait for a slow server to fill them.
        for chunk in response.iter_bytes():
            received += len(chunk)
            self.check_size(received)
            self.in_time()
            self.limits.check()
            file.write(chunk)
        return received

    def check_status(self, response: "httpx.Response") -> None:
        status = response.status_code
        if status < _CLIENT_ERROR and response.is_success:
            return
        problem = f"the server answered {status} {response.reason_phrase}".rstrip()
        if status >= _SERVER_ERROR or status in _ASKS_AGAIN:
            raise self.passing(problem)
        raise self.refused(problem)

    def check_size(self, size: int) -> None:
        if size > self.limits.max_bytes:
            raise self.refused(f"is larger than the limit of {self.limits.max_bytes:,} bytes")

    def in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise self.passing(f"was not downloaded within {self.limits.timeout_s:g} s")


def _request(client: "httpx.Client", url: "httpx.URL", address: IPAddress) -> "httpx.Request":
    # The connection goes to the address that was checked; the host's name stays in the Host header
    # and in the TLS handshake, where the certificate is checked against it.
    return client.build_request(
        "GET",
        url.copy_with(host=str(address)),
        headers={
            "host": url.netloc.decode("ascii"),
            "accept": "*/*",
            "accept-encoding": "identity",
            "user-agent": "loop26",
        },
        extensions={"sni_hostname": url.raw_host.decode("ascii")},
    )
