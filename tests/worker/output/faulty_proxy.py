"""An HTTP proxy that spoils what it is told to spoil: answers, connections, bytes."""

import http.client
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.servers.loopback import Loopback

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` requests of a method whose path holds a text.

    `kind` is an HTTP status; "cut" (no byte is answered, nothing is passed on); "lost" (it is
    passed on, and its answer is not); "spoiled" (a byte of its body is another).
    """

    kind: int | str
    method: str = ""
    path: str = ""
    times: int = 1

    def meets(self, method: str, path: str) -> bool:
        """Whether it is to happen to this request; counts it."""
        met = self.times > 0 and self.method in {"", method} and self.path in path
        self.times -= met
        return met


class FaultyProxy(Loopback):
    """Stands before a server on loopback for the length of a `with` block."""

    def __init__(self, upstream: str) -> None:
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), _Handler))
        self.upstream = urlsplit(upstream)
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        self.on_request: Callable[[str, str], object] = lambda _method, _path: None
        self._lock = threading.Lock()
        vars(self._server)["proxy"] = self

    def count(self, method: str, path: str = "") -> int:
        """How many requests of a method there were to paths that hold a text."""
        return sum(one[0] == method and path in one[1] for one in self.seen)

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Note a request, and return what is to happen to it."""
        self.on_request(method, path)
        with self._lock:
            self.seen.append((method, path))
            return next((fault for fault in self.faults if fault.meets(method, path)), None)


class _Handler(BaseHTTPRequestHandler):
    """One connection to the self._proxy."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet
    disable_nagle_algorithm = True

    @property
    def _proxy(self) -> FaultyProxy:
        proxy: FaultyProxy = vars(self.server)["proxy"]
        return proxy

    def handle_expect_100(self) -> bool:
        """Say at once that a body may come."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        """Do what is to happen to the request."""
        fault = self._proxy.fault_for(self.command, self.path)
        body = self._body()
        kind = fault.kind if fault else ""
        if kind == "cut":
            self._hang_up()
        elif isinstance(kind, int):
            self._answer(kind, [], b"<html>no</html>")
        else:
            self._pass_on(body, str(kind))

    # The names that http.server calls.
    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - as above

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _pass_on(self, body: bytes, kind: str) -> None:
        if kind == "spoiled":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        upstream = http.client.HTTPConnection(
            self._proxy.upstream.hostname or "", self._proxy.upstream.port, timeout=30
        )
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {*HOP_BY_HOP, "expect"}
        }
        upstream.request(self.command, self.path, body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if kind == "lost":
            self._hang_up()
        else:
            self._answer(answer.status, answer.getheaders(), content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        length = str(len(content))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
