"""Connections of one download: to checked addresses alone, and never past its deadline.

HTTP itself is httpcore's; it reaches the network through what is here.
"""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from worker.inputs.addresses import resolve_host
from worker.inputs.deadline import Deadline
from worker.inputs.sources import input_error

# A server that sends nothing for this long is taken for dead, whatever the whole limit is.
SILENCE_S = 30.0
# The next address of a host is tried after this long: IPv6 may lead nowhere where IPv4 works.
CONNECT_S = 10.0
# How often a wait looks whether the download shall go on.
LOOK_S = 1.0


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to addresses that were checked, whatever URL or redirect named the host.

    The name is looked up once a connection, and the connection goes to that answer. TLS has its
    certificate checked against the name.
    """

    def __init__(self, deadline: Deadline, *, private_addresses: bool) -> None:
        self._deadline = deadline
        self._private_addresses = private_addresses
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that answers; the deadline is the timeout."""
        del timeout
        addresses = resolve_host(
            host,
            port,
            private_addresses=self._private_addresses,
            source=self._deadline.source,
        )
        for place, address in enumerate(addresses, start=1):
            try:
                stream = self._plain.connect_tcp(
                    str(address),
                    port,
                    self._deadline.wait_s(CONNECT_S),
                    local_address,
                    socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
            else:
                return _TimedStream(stream, self._deadline)
        raise httpcore.ConnectError(f"{host!r} has no address")


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every wait ends with the deadline, or after a silence."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there; looks in between whether the download shall go on."""
        del timeout
        silent_at = time.monotonic() + SILENCE_S
        while True:
            wait_s = self._deadline.wait_s(LOOK_S)
            try:
                return self._stream.read(max_bytes, wait_s)
            except httpcore.ReadTimeout:
                if time.monotonic() > silent_at:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        del timeout
        self._stream.write(buffer, self._deadline.wait_s(SILENCE_S))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on in TLS.

        Raises:
            InputError: The certificate does not hold; it will not hold the next time.
        """
        del timeout
        wait_s = self._deadline.wait_s(SILENCE_S)
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, wait_s)
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                problem = f"its server's certificate does not hold: {error}"
                raise input_error(self._deadline.source, problem) from error
            raise
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Tell what the connection below knows."""
        return self._stream.get_extra_info(info)
