"""Connections go to checked addresses, and end when the download must."""

import dataclasses
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from worker.errors import TaskCancelled
from worker.inputs import addresses
from worker.inputs.fetch import Wanted, fetch
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Refused, Request, Site, TlsSite

ROOMY = 1_000_000
OK = b"HTTP/1.1 200 OK\r\n"


def test_a_silent_server_ends_at_the_time_limit(
    refused: "Refused", site: "Site", hurried: InputPolicy
) -> None:
    """It took the request and says nothing."""
    url = site.answer("/a.bin", lambda _request: site.over.wait() and None)
    error = refused(url, hurried)
    assert error.problem == "was not downloaded within 0.3 s"
    assert error.retryable


def test_a_cancelled_task_does_not_wait_for_a_silent_server(
    site: "Site", policy: InputPolicy
) -> None:
    """It is asked again although no byte comes."""
    asked = threading.Event()

    def silent(_request: "Request") -> None:
        asked.set()
        site.over.wait()

    def check() -> None:
        if asked.is_set():
            raise TaskCancelled("by its user")

    url = site.answer("/a.bin", silent)
    with pytest.raises(TaskCancelled):
        fetch(Wanted(source=url, max_bytes=ROOMY, check=check), policy)
    assert list(policy.cache_dir.glob("*")) == []


@pytest.mark.parametrize(
    "host",
    [
        "public.invalid@127.0.0.1",
        "public.invalid:80@127.0.0.1",
        "public.invalid\\@127.0.0.1",
        "public.invalid%2f@127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",  # noqa: S104 - an address to be refused, not one to bind
        "0",
        "127.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "2130706433",
        "0x7f000001",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "[::1%25lo]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "\uff11\uff12\uff17.0.0.1",
        "ⓛocalhost",
        "127.0.0.1%00.invalid",
        "127.0.0.1%20",
    ],
)
def test_no_spelling_of_this_machine_is_connected_to(
    refused: "Refused", site: "Site", policy: InputPolicy, host: str
) -> None:
    """By user, by backslash, in other digits, wrapped in IPv6, in other alphabets."""
    site.serve("/a.bin", b"abc")
    closed = dataclasses.replace(policy, private_addresses=False)
    refused(f"http://{host}:{site.port}/a.bin", closed)
    assert site.seen == []


def resolver(answers: dict[str, list[str]]) -> Any:
    """Make a resolver that gives a name's addresses one by one; addresses stay what they are."""
    real = socket.getaddrinfo

    def look_up(host: str, *args: Any, **options: Any) -> Any:
        return real(answers[host].pop(0) if host in answers else host, *args, **options)

    return look_up


def test_the_connection_goes_to_the_address_that_was_checked(
    site: "Site", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name would lead to a closed port the second time, and is not asked again."""
    answers = {"rebind.test": ["127.0.0.1", "127.0.0.2"]}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(answers))
    site.serve("/a.bin", b"abc")
    url = site.url("/a.bin", "rebind.test")
    assert fetch(Wanted(source=url, max_bytes=ROOMY), policy).read_bytes() == b"abc"
    assert answers == {"rebind.test": ["127.0.0.2"]}
    assert site.hosts == [f"rebind.test:{site.port}"]


def test_a_name_is_checked_again_when_a_redirect_returns_to_it(
    refused: "Refused", site: "Site", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first address stands for a public one; its second is a cloud's metadata server."""
    public = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda x: str(x) == "127.0.0.1" or public(x))
    answers = {"rebind.test": ["127.0.0.1", "169.254.169.254"]}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(answers))
    site.status("/a.bin", 302, connection="close", location="/b.bin")
    closed = dataclasses.replace(policy, private_addresses=False)
    error = refused(site.url("/a.bin", "rebind.test"), closed)
    assert "'rebind.test' is at 169.254.169.254" in error.problem


def test_the_next_address_of_a_host_is_tried(
    site: "Site", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As IPv4, where IPv6 leads nowhere."""
    real = socket.getaddrinfo

    def two(host: str, *args: Any, **options: Any) -> Any:
        hosts = ["127.0.0.2", "127.0.0.1"] if host == "two.test" else [host]
        return [found for each in hosts for found in real(each, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    site.serve("/a.bin", b"abc")
    url = site.url("/a.bin", "two.test")
    assert fetch(Wanted(source=url, max_bytes=ROOMY), policy).read_bytes() == b"abc"


def test_a_name_beyond_ascii_is_asked_for_as_the_url_writes_it(
    refused: "Refused", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rules of writing ß in names differ: the resolver gets the one that TLS checks."""
    asked: list[str] = []

    def unknown(host: str, *_args: Any, **_options: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    refused("http://faß.invalid/a.bin", policy)
    assert asked == ["xn--fa-hia.invalid"]


def test_a_certificate_that_nobody_signed_is_refused(
    refused: "Refused", tls_site: "TlsSite", policy: InputPolicy
) -> None:
    """Another try would see the same one."""
    url = f"https://localhost:{tls_site.site.port}/a.bin"
    error = refused(url, policy)
    assert "certificate verify failed" in error.problem
    assert not error.retryable


def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    refused: "Refused", tls_site: "TlsSite", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the connection goes to the address: by that alone, the same server is refused."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_site.certificate))
    port = tls_site.site.port
    tls_site.site.serve("/a.bin", b"abc")
    refused(f"https://127.0.0.1:{port}/a.bin", policy)
    wanted = Wanted(source=f"https://localhost:{port}/a.bin", max_bytes=ROOMY)
    assert fetch(wanted, policy).read_bytes() == b"abc"
