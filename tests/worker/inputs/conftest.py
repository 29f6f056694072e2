"""A loopback server that misbehaves on request, and a policy that may reach it."""

import dataclasses
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from worker.errors import InputError
from worker.inputs.fetch import Wanted, fetch
from worker.inputs.policy import InputPolicy


class Request(BaseHTTPRequestHandler):
    """Serves what the test put under the path: a function that writes the whole answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, and note the request."""
        server = self.server
        assert isinstance(server, Server)
        server.seen.append(self.path)
        server.hosts.append(self.headers["host"])
        server.answers[self.path.partition("?")[0]](self)

    def log_message(self, *_args: object) -> None:
        """Keep the tests' output quiet."""


class Server(ThreadingHTTPServer):
    """Holds the answers and what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answers: dict[str, Callable[[Request], None]] = {}
        self.seen: list[str] = []
        self.hosts: list[str] = []

    def handle_error(self, *_args: object) -> None:
        """Clients of these tests hang up in the middle; that is no news."""


@dataclass
class Site:
    """The server, as a test uses it."""

    server: Server
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """The free port it listens on."""
        return int(self.server.server_address[1])

    @property
    def seen(self) -> list[str]:
        """The paths asked for, in order."""
        return self.server.seen

    @property
    def hosts(self) -> list[str]:
        """The Host headers, in order."""
        return self.server.hosts

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a path on this server."""
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, body: bytes, *, kind: str = "application/octet-stream") -> str:
        """Serve a body whole."""

        def answer(request: Request) -> None:
            request.send_response(200)
            request.send_header("content-type", kind)
            request.send_header("content-length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

        return self.answer(path, answer)

    def status(self, path: str, code: int, **headers: str) -> str:
        """Answer with a bare status."""

        def answer(request: Request) -> None:
            request.send_response(code)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("content-length", "0")
            request.end_headers()

        return self.answer(path, answer)

    def cut_off(self, path: str, body: bytes, *, announced: int) -> str:
        """Announce more bytes than are sent, then hang up."""

        def answer(request: Request) -> None:
            request.send_response(200)
            request.send_header("content-length", str(announced))
            request.end_headers()
            request.wfile.write(body)
            request.close_connection = True

        return self.answer(path, answer)

    def raw(self, path: str, data: bytes) -> str:
        """Send these bytes as the whole answer, its head included, and hang up."""

        def answer(request: Request) -> None:
            request.close_connection = True
            request.wfile.write(data)

        return self.answer(path, answer)

    def endless_raw(self, path: str, first: bytes, chunk: bytes, *, pause_s: float = 0.0) -> str:
        """Send the first bytes, then the chunk for ever: no head is sent but what is in them."""

        def answer(request: Request) -> None:
            request.close_connection = True
            request.wfile.write(first)
            while not self.over.wait(pause_s):
                request.wfile.write(chunk)

        return self.answer(path, answer)

    def endless(self, path: str, chunk: bytes, *, pause_s: float = 0.0) -> str:
        """Send the chunk again and again, until the client hangs up or the test ends."""

        def answer(request: Request) -> None:
            request.send_response(200)
            request.end_headers()
            request.close_connection = True
            while not self.over.wait(pause_s):
                request.wfile.write(chunk)

        return self.answer(path, answer)

    def answer(self, path: str, answer: Callable[[Request], None]) -> str:
        """Serve a path by a function of the test."""
        self.server.answers[path] = answer
        return self.url(path)


@contextmanager
def running(server: Server) -> Iterator[Site]:
    """Run a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site = Site(server)
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    """Run a server on a free loopback port."""
    with running(Server()) as site:
        yield site


@dataclass
class TlsSite:
    """A server that speaks TLS, with the certificate that it shows: its own, for localhost."""

    site: Site
    certificate: Path


@pytest.fixture
def tls_site(tmp_path: Path) -> Iterator[TlsSite]:
    """Run a server that speaks TLS, as localhost."""
    certificate = own_certificate(tmp_path / "localhost.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server) as site:
        yield TlsSite(site, certificate)


def own_certificate(path: Path) -> Path:
    """Write a key and a certificate for localhost that is signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path


@pytest.fixture
def policy(tmp_path: Path) -> InputPolicy:
    """Allow loopback, which is where the server is."""
    return InputPolicy(cache_dir=tmp_path / "cache", private_addresses=True, timeout_s=30.0)


@pytest.fixture
def hurried(policy: InputPolicy) -> InputPolicy:
    """Allow a third of a second."""
    return dataclasses.replace(policy, timeout_s=0.3)


class Refused(Protocol):
    """Fetches what must fail; the error names the URL, and the cache has nothing."""

    def __call__(self, url: str, policy: InputPolicy, *, max_bytes: int = 1_000_000) -> InputError:
        """Return the error."""
        ...


@pytest.fixture
def refused() -> Refused:
    """Fetch by URL, and check what holds after every failure."""

    def fetch_in_vain(url: str, policy: InputPolicy, *, max_bytes: int = 1_000_000) -> InputError:
        with pytest.raises(InputError) as caught:
            fetch(Wanted(source=url, max_bytes=max_bytes), policy)
        assert caught.value.source.startswith("http")
        assert list(policy.cache_dir.glob("*")) == []
        return caught.value

    return fetch_in_vain
