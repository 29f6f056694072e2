"""An HTTP proxy on loopback that fails as networks do: by the dice, or for as long as it is told.

Each fate of a request tells another story of what the server has done by then.
"""

import contextlib
import http.client
import random
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.servers.loopback import Loopback

# The server has heard nothing.
CUT_BEFORE = "cut before the request"
# The server has heard half of it.
CUT_WITHIN = "cut within the request"
# The server has done it, and the answer is lost, or half of it.
LOST = "answer lost"
TORN = "answer torn"
FATES = (CUT_BEFORE, CUT_WITHIN, LOST, TORN)

REFUSED = "refused"  # every connection is closed, as by a machine that is away
SILENT = "silent"  # a connection is taken and nothing is said, as by a machine that hangs

_SERVER_S = 60
_HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


class UnreliableProxy(Loopback):
    """Stands before a server for the length of a `with` block.

    Attributes:
        upstream: Where the server is.
        odds: How likely each of `FATES` is, for every request.
        away: `REFUSED`, `SILENT`, or "" while requests go through.
        met: How often each fate was met, and how many requests there were.
    """

    def __init__(
        self, upstream: str, *, odds: Mapping[str, float] | None = None, away: str = ""
    ) -> None:
        super().__init__(_Server(self))
        self.upstream = upstream
        self.odds = odds or {}
        self.dice = random.Random(26)
        self.away = away
        self.met: Counter[str] = Counter()
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def __exit__(self, *exception: object) -> None:
        """Stop, and let go of whoever waits for an answer."""
        self.ended.set()
        super().__exit__(*exception)

    def fate(self) -> str:
        """Say what becomes of the next request: a fate, what the proxy is away by, or ""."""
        with self._lock:
            self.met["requests"] += 1
            fate = self.away
            drawn = self.dice.random()
            for name, odds in self.odds.items():
                if not fate and drawn < odds:
                    fate = name
                drawn -= odds
            self.met[fate or "passed"] += 1
            return fate


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, proxy: UnreliableProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that is gone: whoever is killed hangs up."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with one of its own to the server."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet
    disable_nagle_algorithm = True
    server: _Server
    _upstream: http.client.HTTPConnection | None = None

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Close both connections."""
        self._close_upstream()
        super().finish()

    def handle_any(self) -> None:
        """Let the request meet its fate."""
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = proxy.fate()
        if fate == SILENT:
            proxy.ended.wait()
        if fate in {REFUSED, SILENT, CUT_BEFORE}:
            self._hang_up()
        elif fate == CUT_WITHIN:
            self._send_half(body)
            self._hang_up()
        else:
            self._pass_on(body, fate)

    # The names that http.server calls.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - as above

    def _pass_on(self, body: bytes, fate: str) -> None:
        try:
            status, headers, content = self._ask(body)
        except (OSError, http.client.HTTPException):
            self._close_upstream()
            self._hang_up()  # as a router does whose server is away
            return
        if fate == LOST:
            self._hang_up()
        else:
            self._answer(status, headers, content, torn=fate == TORN)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if self._upstream is None:
            server = urlsplit(self.server.proxy.upstream)
            self._upstream = http.client.HTTPConnection(
                server.hostname or "", server.port, timeout=_SERVER_S
            )
        self._upstream.request(self.command, self.path, body=body, headers=self._passed_on())
        answer = self._upstream.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, *, torn: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if torn else content)
        if torn:
            self.wfile.flush()
            self._hang_up()

    def _close_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None

    def _send_half(self, body: bytes) -> None:
        server = urlsplit(self.server.proxy.upstream)
        try:
            with socket.create_connection((server.hostname, server.port), timeout=5) as raw:
                head = "".join(f"{name}: {value}\r\n" for name, value in self._passed_on().items())
                length = f"Content-Length: {len(body)}\r\n\r\n"
                raw.sendall(f"{self.command} {self.path} HTTP/1.1\r\n{head}{length}".encode())
                raw.sendall(body[: len(body) // 2])
        except OSError:
            pass  # the server is away: that is a cut, too

    def _passed_on(self) -> dict[str, str]:
        return {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP
        }

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client was quicker
            self.connection.shutdown(socket.SHUT_RDWR)
