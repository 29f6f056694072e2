"""Real servers on the loopback for tests: an OTLP receiver and a Sentry that keep what they get."""

import gzip
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sentry_sdk.envelope import Envelope


class Reply(NamedTuple):
    """How a receiver answers one request; what is not answered with 200 is not kept.

    `hold`, where it is given, is waited for before answering, `hold_s` seconds at the most: a slow
    backend. With `reset` the connection is reset instead of an answer.
    """

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""
    hold: threading.Event | None = None
    hold_s: float = 30.0
    reset: bool = False


class ReceivedSpan(NamedTuple):
    """A span as it came over the wire, with its resource's and its own attributes as values."""

    span: Span
    resource: dict[str, Any]
    attributes: dict[str, Any]


class ReceivedLog(NamedTuple):
    """A log record as it came over the wire."""

    record: LogRecord
    resource: dict[str, Any]
    logger: str


class Receiver:
    """A server on a free port of the loopback, to be used in a `with` block.

    Attributes:
        requests: Paths of all requests, in order, whatever the answer was.
        bodies: Their bodies, uncompressed.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._always: Callable[[str, bytes], Reply] | None = None
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer_next(self, *replies: Reply) -> None:
        """Answer the next requests so, one each; those after them as usual."""
        self._replies.extend(replies)

    def answer_by(self, rule: Callable[[str, bytes], Reply] | None) -> None:
        """Answer every request by a rule of its path and its uncompressed body; None ends that."""
        self._always = rule

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Return once the condition holds, looked at after each request; fail after the timeout."""
        with self._changed:
            held = self._changed.wait_for(condition, timeout_s)
        if not held:
            raise TimeoutError(f"not so within {timeout_s} s; requests: {self.requests}")

    def keep(self, path: str, body: bytes) -> None:
        """Keep what an accepted request brought."""
        raise NotImplementedError

    def reply_to(self, path: str, body: bytes) -> Reply:
        """Note a request and say how it is answered."""
        with self._changed:
            self.requests.append(path)
            self.bodies.append(body)
            if self._replies:
                reply = self._replies.popleft()
            elif self._always is not None:
                reply = self._always(path, body)
            else:
                reply = Reply()
            # Announced before it is answered, so that a test can act while a request hangs.
            self._changed.notify_all()
        if reply.hold is not None:
            reply.hold.wait(reply.hold_s)
        if reply.status == 200 and not reply.reset:  # noqa: PLR2004 - HTTP's own word for yes
            with self._changed:
                self.keep(path, body)
                self._changed.notify_all()
        return reply


class OtlpReceiver(Receiver):
    """An OTLP endpoint that decodes protobuf, for traces and logs."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.spans: list[ReceivedSpan] = []
        self.logs: list[ReceivedLog] = []

    @property
    def endpoint(self) -> str:
        """The address for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def names(self) -> list[str]:
        """Names of the received spans, in order of arrival."""
        return [received.span.name for received in self.spans]

    def keep(self, path: str, body: bytes) -> None:
        """Decode and keep an export request."""
        if path == "/v1/traces":
            self._keep_spans(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/logs":
            self._keep_logs(ExportLogsServiceRequest.FromString(body))

    def _keep_spans(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            resource = values_of(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [
                    ReceivedSpan(span, resource, values_of(span.attributes)) for span in scope.spans
                ]

    def _keep_logs(self, request: ExportLogsServiceRequest) -> None:
        for group in request.resource_logs:
            resource = values_of(group.resource.attributes)
            for scope in group.scope_logs:
                self.logs += [
                    ReceivedLog(record, resource, scope.scope.name) for record in scope.log_records
                ]


class SentryReceiver(Receiver):
    """The part of Sentry that takes envelopes."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.events: list[dict[str, Any]] = []

    @property
    def dsn(self) -> str:
        """The address for `SENTRY_DSN`."""
        return f"http://public@127.0.0.1:{self.port}/1"

    def keep(self, _path: str, body: bytes) -> None:
        """Decode an envelope and keep its events."""
        for item in Envelope.deserialize(body).items:
            if item.type == "event":
                self.events.append(json.loads(item.get_bytes()))


def values_of(attributes: Any) -> dict[str, Any]:
    """Return protobuf attributes as plain values."""
    found: list[KeyValue] = list(attributes)
    return {one.key: _value_of(one.value) for one in found}


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Return once a condition of another process holds; fail after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {timeout_s} s")
        time.sleep(0.005)


class _Server(ThreadingHTTPServer):
    receiver: Receiver
    allow_reuse_address = True
    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        reply = self.server.receiver.reply_to(self.path, body)
        if reply.reset:
            self._reset()
            return
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            # Closed after each answer, so that a receiver that is stopped is really down.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(reply.body)
        except ConnectionError:
            self.close_connection = True  # the client has given up waiting

    def _reset(self) -> None:
        """Close the connection without lingering, which the other end meets as a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: a test reads `requests`."""


def _value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value_of(one) for one in value.array_value.values]
    return None if kind is None else getattr(value, kind)
