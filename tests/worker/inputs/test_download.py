"""Servers that lie, stall or lead elsewhere: one error that names the URL, and nothing is kept."""

import base64
import dataclasses
import gzip
import socket
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from worker.errors import InputError, TaskCancelled
from worker.inputs import addresses
from worker.inputs.fetch import Wanted, fetch
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Request, Site, TlsSite

ROOMY = 1_000_000
OK = b"HTTP/1.1 200 OK\r\n"


def refused(url: str, policy: InputPolicy, *, max_bytes: int = ROOMY) -> InputError:
    """Fetch what must fail: the error names the URL, and the cache has nothing."""
    with pytest.raises(InputError) as caught:
        fetch(Wanted(source=url, max_bytes=max_bytes), policy)
    assert caught.value.source.startswith("http")
    assert list(policy.cache_dir.glob("*")) == []
    return caught.value


def hurried(policy: InputPolicy) -> InputPolicy:
    """Allow a third of a second."""
    return dataclasses.replace(policy, timeout_s=0.3)


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: -5\r\n\r\nabc",
        b"content-length: many\r\n\r\nabc",
        b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"content-length: 3\r\ncontent-length: 3\r\ntransfer-encoding: what\r\n\r\nabc",
        b"transfer-encoding: chunked\r\n\r\nno chunk\r\n",
        b"transfer-encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\nabc",
        b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"no colon here\r\n\r\nabc",
    ],
)
def test_an_answer_that_is_no_http_is_a_failed_connection(
    site: "Site", policy: InputPolicy, head: bytes
) -> None:
    """Lengths that are none or two, chunks that are none: a broken proxy may be gone next time."""
    error = refused(site.raw("/a.bin", OK + head), policy)
    assert error.problem.startswith("the connection failed: ")
    assert error.retryable


def test_no_answer_at_all_is_a_failed_connection(site: "Site", policy: InputPolicy) -> None:
    """The server hangs up."""
    assert refused(site.raw("/a.bin", b""), policy).retryable


def test_a_head_without_end_is_refused(site: "Site", policy: InputPolicy) -> None:
    """Headers are held in memory, so they have a limit of their own."""
    url = site.endless_raw("/a.bin", OK, b"x: " + b"y" * 1000 + b"\r\n")
    assert "the connection failed" in refused(url, policy).problem


@pytest.mark.parametrize(
    ("first", "chunk"),
    [
        (OK + b"x: ", b"y"),
        (OK + b"\r\n", b"y"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1;", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
def test_what_drips_for_ever_ends_at_the_time_limit(
    site: "Site", policy: InputPolicy, first: bytes, chunk: bytes
) -> None:
    """In the head, the body, between chunks, or before the answer proper."""
    url = site.endless_raw("/a.bin", first, chunk, pause_s=0.01)
    error = refused(url, hurried(policy))
    assert error.problem == "was not downloaded within 0.3 s"
    assert error.retryable


def test_a_silent_server_ends_at_the_time_limit(site: "Site", policy: InputPolicy) -> None:
    """It took the request and says nothing."""
    url = site.answer("/a.bin", lambda _request: site.over.wait() and None)
    error = refused(url, hurried(policy))
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


def test_compressed_content_is_refused(site: "Site", policy: InputPolicy) -> None:
    """It was asked for as it is; a bomb would be a thousand times its size."""
    body = gzip.compress(b"abc")
    head = b"content-encoding: GZip\r\ncontent-length: %d\r\n\r\n" % len(body)
    error = refused(site.raw("/a.bin", OK + head + body), policy)
    assert "'gzip'" in error.problem
    assert not error.retryable


@pytest.mark.parametrize("status", [204, 206, 304, 399, 999])
def test_an_answer_without_the_whole_content_is_refused(
    site: "Site", policy: InputPolicy, status: int
) -> None:
    """A part, which nobody asked for, or nothing."""
    url = site.status("/a.bin", status)
    assert f"answered {status}" in refused(url, policy).problem


def test_a_servers_own_words_are_not_repeated(site: "Site", policy: InputPolicy) -> None:
    """They may be long, and may say anything."""
    url = site.raw("/a.bin", b"HTTP/1.1 404 %s\r\n\r\n" % (b"words " * 1000))
    assert refused(url, policy).problem == "the server answered 404 Not Found"


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "//",
        "http://",
        "http://[::1/",
        "http://a:99999/",
        "http://a b/",
        "http://a\\b/",
        "http://%00/",
        "http://\xff.invalid/",
        "http://127.0.0.1:1/elsewhere",
    ],
)
def test_a_redirect_to_nowhere_is_refused_in_the_name_of_what_was_asked(
    site: "Site", policy: InputPolicy, location: str
) -> None:
    """Other schemes, no URLs, unknown hosts, closed ports."""
    url = site.status("/a.bin", 302, location=location)
    assert refused(url, policy).source == url


def test_a_redirect_under_the_name_of_a_user_is_refused(site: "Site", policy: InputPolicy) -> None:
    """And the password is not told."""
    there = site.serve("/b.bin", b"abc").replace("http://", "http://user:hunter2@")
    error = refused(site.status("/a.bin", 302, location=there), policy)
    assert "under the name of a user" in error.problem
    assert "hunter2" not in str(error)


def test_the_user_of_a_url_is_told_to_its_server_and_in_no_message(
    site: "Site", policy: InputPolicy
) -> None:
    """Also after a redirect on the same server."""
    told: list[str] = []

    def answer(request: "Request") -> None:
        told.append(request.headers["authorization"])
        request.send_error(404)

    site.answer("/b.bin", answer)
    url = site.status("/a.bin", 302, location="/b.bin")
    error = refused(url.replace("http://", "http://user:p%40ss@"), policy)
    assert told == ["Basic " + base64.b64encode(b"user:p@ss").decode()]
    assert error.source == url


def test_a_url_with_half_a_password_in_its_port_tells_none_of_it(policy: InputPolicy) -> None:
    """It should have been escaped."""
    error = refused("http://user:hunter/2@127.0.0.1/a.bin", policy)
    assert "hunter" not in str(error)
    assert error.__cause__ is None


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
    site: "Site", policy: InputPolicy, host: str
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
    site: "Site", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
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
    policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
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
    tls_site: "TlsSite", policy: InputPolicy
) -> None:
    """Another try would see the same one."""
    url = f"https://localhost:{tls_site.site.port}/a.bin"
    error = refused(url, policy)
    assert "certificate verify failed" in error.problem
    assert not error.retryable


def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    tls_site: "TlsSite", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the connection goes to the address: by that alone, the same server is refused."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_site.certificate))
    port = tls_site.site.port
    tls_site.site.serve("/a.bin", b"abc")
    refused(f"https://127.0.0.1:{port}/a.bin", policy)
    wanted = Wanted(source=f"https://localhost:{port}/a.bin", max_bytes=ROOMY)
    assert fetch(wanted, policy).read_bytes() == b"abc"


def test_two_that_fetch_one_url_at_once_both_have_it(site: "Site", policy: InputPolicy) -> None:
    """Each downloads under its own name; the last one's stays."""
    both = threading.Barrier(2, timeout=20.0)
    body = bytes(100_000)

    def answer(request: "Request") -> None:
        both.wait()
        request.close_connection = True
        request.wfile.write(OK + b"content-length: %d\r\n\r\n" % len(body) + body)

    url = site.answer("/a.bin", answer)
    found: list[bytes] = []

    def take() -> None:
        found.append(fetch(Wanted(source=url, max_bytes=ROOMY), policy).read_bytes())

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [body, body]
    assert len(list(policy.cache_dir.iterdir())) == 1


def test_an_endless_body_is_not_held_in_memory(site: "Site", policy: InputPolicy) -> None:
    """Forty megabytes pass through; the process grows by less than ten."""
    url = site.endless("/a.bin", b"x" * 100_000)
    tracemalloc.start()
    refused(url, policy, max_bytes=40_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
