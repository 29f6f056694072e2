"""A network between a client and a server on loopback: what is said takes time to arrive.

It carries bytes and knows no protocol. A connection costs a round trip, an answer comes one after
its question, and all connections share the bandwidth, each direction its own.
"""

import contextlib
import queue
import socket
import socketserver
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.servers.loopback import Loopback

_CHUNK_BYTES = 16_384
_CHUNKS_UNDERWAY = 512
_Underway = queue.Queue[tuple[float, bytes]]


class SlowLink(Loopback):
    """Stands before a server for the length of a `with` block.

    Args:
        upstream: The server's address.
        round_trip_s: Seconds from a question to its answer, the server's own apart.
        bytes_per_s: How much goes through in a second, each way.

    Attributes:
        arrivals: When anything has arrived on either side, in nanoseconds since the epoch.
    """

    def __init__(self, upstream: str, *, round_trip_s: float, bytes_per_s: float) -> None:
        super().__init__(_Server(self))
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.round_trip_s = round_trip_s
        self.arrivals: list[int] = []
        self.there = _Way(bytes_per_s, round_trip_s / 2)
        self.back = _Way(bytes_per_s, round_trip_s / 2)


@dataclass(slots=True)
class _Way:
    """One direction, which its connections share."""

    bytes_per_s: float
    delay_s: float
    free_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, size: int) -> float:
        """Say when so many bytes that are sent now are there, by the monotonic clock."""
        with self.lock:
            self.free_at = max(time.monotonic(), self.free_at) + size / self.bytes_per_s
            return self.free_at + self.delay_s


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, link: SlowLink) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.link = link


class _Handler(socketserver.BaseRequestHandler):
    """One connection of a client, with one of its own to the server."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Carry what each says to the other, until both have said all."""
        link, client = self.server.link, self.request
        time.sleep(link.round_trip_s)  # what shaking hands takes
        with (
            contextlib.suppress(OSError),  # the server is away: the connection ends
            socket.create_connection(link.upstream) as server,
        ):
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(target=self._carry, args=(server, client, link.back))
            answers.start()
            self._carry(client, server, link.there)
            answers.join()

    def _carry(self, source: socket.socket, target: socket.socket, way: _Way) -> None:
        underway: _Underway = queue.Queue(_CHUNKS_UNDERWAY)
        arriving = threading.Thread(target=self._deliver, args=(underway, target))
        arriving.start()
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                underway.put((way.due(len(data)), data))
        underway.put((way.due(0), b""))
        arriving.join()

    def _deliver(self, underway: _Underway, target: socket.socket) -> None:
        """Hand on what has arrived, in order; nothing is the end of what one side says."""
        gone = False
        while True:
            due, data = underway.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                break
            try:
                if not gone:
                    target.sendall(data)
            except OSError:
                gone = True
            self.server.link.arrivals.append(time.time_ns())
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
