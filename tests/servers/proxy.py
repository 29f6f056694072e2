"""An HTTP proxy on loopback that fails as networks and servers do: as told, or by the dice.

Each fate of a request tells another story of what the server has done by then.
"""

import contextlib
import http.client
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

SPOILED = "spoiled"  # the server has done it, with another byte than was sent

REFUSED = "refused"  # every connection is closed, as by a machine that is away
SILENT = "silent"  # a connection is taken and nothing is said, as by a machine that hangs

_SERVER_S = 60
_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}
)


@dataclass(slots=True)
class Fault:
    """What becomes of the next `times` requests of a method whose path holds a text.

    `fate` is one of `FATES`, `SPOILED`, or the HTTP status that is answered in the server's place.
    """

    fate: int | str
    method: str = ""
    path: str = ""
    times: int = 1

    def meets(self, method: str, path: str) -> bool:
        """Whether it is to happen to this request; counts it."""
        met = self.times > 0 and self.method in {"", method} and self.path in path
        self.times -= met
        return met


class UnreliableProxy(Loopback):
    """Stands before a server for the length of a `with` block.

    Attributes:
        upstream: Where the server is.
        away: `REFUSED`, `SILENT`, or "" while requests go through.
        faults: What is to happen to which requests; the first that meets one has it.
        odds: How likely each of `FATES` is, for every request that meets no fault.
        on_request: Told the method and the path of each request, before anything becomes of it.
        seen: The method and the path of each request.
        met: How often each fate was met, and how many requests there were.
    """

    def __init__(
        self, upstream: str, *, odds: Mapping[str, float] | None = None, away: str = ""
    ) -> None:
        super().__init__(_Server(self))
        self.upstream = upstream
        self.away = away
        self.faults: list[Fault] = []
        self.odds = odds or {}
        self.dice = random.Random(26)
        self.on_request: Callable[[str, str], object] = lambda _method, _path: None
        self.seen: list[tuple[str, str]] = []
        self.met: Counter[str] = Counter()
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def __exit__(self, *exception: object) -> None:
        """Stop, and let go of whoever waits for an answer."""
        self.ended.set()
        super().__exit__(*exception)

    def count(self, method: str, path: str = "") -> int:
        """How many requests of a method there were to paths that hold a text."""
        return sum(one[0] == method and path in one[1] for one in self.seen)

    def fate(self, method: str, path: str) -> int | str:
        """Say what becomes of a request: what the proxy is away by, a fault's fate, or ""."""
        self.on_request(method, path)
        with self._lock:
            self.seen.append((method, path))
            fault = next((fault for fault in self.faults if fault.meets(method, path)), None)
            drawn = self._drawn()
            fate = self.away or (fault.fate if fault else drawn)
            self.met.update(("requests", str(fate or "passed")))
            return fate

    def _drawn(self) -> str:
        drawn = self.dice.random()
        for name, odds in self.odds.items():
            if drawn < odds:
                return name
            drawn -= odds
        return ""


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, proxy: UnreliableProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that is gone: whoever is killed hangs up."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client; each of its requests has one of its own to the server."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_expect_100(self) -> bool:
        """Say at once that a body may come."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def handle_any(self) -> None:
        """Let the request meet its fate."""
        proxy = self.server.proxy
        body = self._body()
        fate = proxy.fate(self.command, self.path)
        if fate == SILENT:
            proxy.ended.wait()
        if fate in {REFUSED, SILENT, CUT_BEFORE}:
            self._hang_up()
        elif fate == CUT_WITHIN:
            self._send_half(body)
            self._hang_up()
        elif isinstance(fate, int):
            self._answer(fate, [], b"<html>no</html>")
        else:
            self._pass_on(body, fate)

    # The names that http.server calls.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - as above

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _pass_on(self, body: bytes, fate: str) -> None:
        if fate == SPOILED:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        try:
            status, headers, content = self._ask(body)
        except (OSError, http.client.HTTPException):
            self._hang_up()  # as a router does whose server is away
            return
        if fate == LOST:
            self._hang_up()
        else:
            self._answer(status, headers, content, torn=fate == TORN)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        server = urlsplit(self.server.proxy.upstream)
        upstream = http.client.HTTPConnection(server.hostname or "", server.port, timeout=_SERVER_S)
        # One that is kept may be closed by the server as it is used: that would be a cut.
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body=body, headers=self._passed_on())
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, *, torn: bool = False
    ) -> None:
        self.send_response_only(status)
        length = str(len(content))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if torn else content)
        if torn:
            self.wfile.flush()
            self._hang_up()

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
