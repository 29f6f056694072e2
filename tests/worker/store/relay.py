"""A relay before a database that holds a COMMIT back, as whoever hangs before it sends one."""

import contextlib
import re
import selectors
import socket
import socketserver
import threading
from typing import Final

from tests.servers.loopback import Loopback

# A session prepares its COMMIT once, and calls it by that name: the two messages of the protocol.
_PREPARED: Final = re.compile(rb"P.{4}([^\x00]*)\x00COMMIT\x00", re.DOTALL)
_CALLED: Final = rb"B.{4}[^\x00]*\x00%b\x00"
_PACKET_BYTES: Final = 65_536


class Relay(Loopback):
    """Stands before a PostgreSQL on loopback for the length of a `with` block.

    Args:
        upstream: PostgreSQL's port.

    Attributes:
        port: Its own.
        armed: To be set: the next COMMIT is held back, with all that its session sends later.
        held: Set once one was.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.armed = threading.Event()
        self.held = threading.Event()
        server = _Server(self)
        self.port = int(server.server_address[1])
        super().__init__(server)

    def hold(self) -> bool:
        """Hold a COMMIT back, where that is asked for; whether it was."""
        if not self.armed.is_set():
            return False
        self.armed.clear()
        self.held.set()
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, relay: Relay) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.relay = relay


class _Handler(socketserver.BaseRequestHandler):
    """One connection of a client, with one of its own to PostgreSQL."""

    server: _Server
    request: socket.socket

    _commit = b""

    def handle(self) -> None:
        """Carry what each says to the other, until one hangs up."""
        relay, client = self.server.relay, self.request
        with (
            socket.create_connection(("127.0.0.1", relay.upstream)) as server,
            selectors.DefaultSelector() as either,
            contextlib.suppress(ConnectionError),
        ):
            either.register(client, selectors.EVENT_READ, server)
            either.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in either.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    packet = source.recv(_PACKET_BYTES)
                    if not packet:
                        return
                    if source is client and self._commits(packet) and relay.hold():
                        either.unregister(client)
                    else:
                        target.sendall(packet)

    def _commits(self, packet: bytes) -> bool:
        """Whether a client's packet ends its transaction."""
        if prepared := _PREPARED.search(packet):
            self._commit = prepared[1]
            return True
        called = _CALLED % re.escape(self._commit)
        return bool(self._commit and re.search(called, packet, re.DOTALL))
