"""Servers that lie, stall or lead elsewhere: one error that names the URL, and nothing is kept."""

import base64
import gzip
import threading
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from worker.inputs.fetch import Wanted, fetch
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Refused, Request, Site

ROOMY = 1_000_000
OK = b"HTTP/1.1 200 OK\r\n"


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
    refused: "Refused", site: "Site", policy: InputPolicy, head: bytes
) -> None:
    """Lengths that are none or two, chunks that are none: a broken proxy may be gone next time."""
    error = refused(site.raw("/a.bin", OK + head), policy)
    assert error.problem.startswith("the connection failed: ")
    assert error.retryable


def test_no_answer_at_all_is_a_failed_connection(
    refused: "Refused", site: "Site", policy: InputPolicy
) -> None:
    """The server hangs up."""
    assert refused(site.raw("/a.bin", b""), policy).retryable


def test_a_head_without_end_is_refused(
    refused: "Refused", site: "Site", policy: InputPolicy
) -> None:
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
    refused: "Refused", site: "Site", hurried: InputPolicy, first: bytes, chunk: bytes
) -> None:
    """In the head, the body, between chunks, or before the answer proper."""
    url = site.endless_raw("/a.bin", first, chunk, pause_s=0.01)
    error = refused(url, hurried)
    assert error.problem == "was not downloaded within 0.3 s"
    assert error.retryable


def test_compressed_content_is_refused(
    refused: "Refused", site: "Site", policy: InputPolicy
) -> None:
    """It was asked for as it is; a bomb would be a thousand times its size."""
    body = gzip.compress(b"abc")
    head = b"content-encoding: GZip\r\ncontent-length: %d\r\n\r\n" % len(body)
    error = refused(site.raw("/a.bin", OK + head + body), policy)
    assert "'gzip'" in error.problem
    assert not error.retryable


@pytest.mark.parametrize("status", [204, 206, 304, 399, 999])
def test_an_answer_without_the_whole_content_is_refused(
    refused: "Refused", site: "Site", policy: InputPolicy, status: int
) -> None:
    """A part, which nobody asked for, or nothing."""
    url = site.status("/a.bin", status)
    assert f"answered {status}" in refused(url, policy).problem


def test_a_servers_own_words_are_not_repeated(
    refused: "Refused", site: "Site", policy: InputPolicy
) -> None:
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
    refused: "Refused", site: "Site", policy: InputPolicy, location: str
) -> None:
    """Other schemes, no URLs, unknown hosts, closed ports."""
    url = site.status("/a.bin", 302, location=location)
    assert refused(url, policy).source == url


def test_a_redirect_under_the_name_of_a_user_is_refused(
    refused: "Refused", site: "Site", policy: InputPolicy
) -> None:
    """And the password is not told."""
    there = site.serve("/b.bin", b"abc").replace("http://", "http://user:hunter2@")
    error = refused(site.status("/a.bin", 302, location=there), policy)
    assert "under the name of a user" in error.problem
    assert "hunter2" not in str(error)


def test_the_user_of_a_url_is_told_to_its_server_and_in_no_message(
    refused: "Refused", site: "Site", policy: InputPolicy
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


def test_a_url_with_half_a_password_in_its_port_tells_none_of_it(
    refused: "Refused", policy: InputPolicy
) -> None:
    """It should have been escaped."""
    error = refused("http://user:hunter/2@127.0.0.1/a.bin", policy)
    assert "hunter" not in str(error)
    assert error.__cause__ is None


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


def test_an_endless_body_is_not_held_in_memory(
    refused: "Refused", site: "Site", policy: InputPolicy
) -> None:
    """Forty megabytes pass through; the process grows by less than ten."""
    url = site.endless("/a.bin", b"x" * 100_000)
    tracemalloc.start()
    refused(url, policy, max_bytes=40_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
