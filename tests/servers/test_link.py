"""The slow network: it carries what is said, and takes the time that it is told to take."""

import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.servers.link import SlowLink
from tests.servers.loopback import Loopback

SIZE = 300_000


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """Serve a file of some size; return the server's address."""
    (tmp_path / "file").write_bytes(bytes(range(250)) * (SIZE // 250))
    handler = partial(Quiet, directory=str(tmp_path))
    with Loopback(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield server.url


def fetched(url: str) -> tuple[bytes, float]:
    """Return a file, and how long it took."""
    began = time.monotonic()
    with urllib.request.urlopen(f"{url}/file") as answer:  # noqa: S310 - a server of this test
        return answer.read(), time.monotonic() - began


def test_what_goes_through_is_whole(files: str) -> None:
    """Byte by byte, one connection after another."""
    with SlowLink(files, round_trip_s=0.0, bytes_per_s=1e9) as link:
        assert fetched(link.url)[0] == fetched(files)[0] == fetched(link.url)[0]
        assert link.arrivals


def test_a_request_takes_two_round_trips_at_least(files: str) -> None:
    """One to connect, one to be answered."""
    with SlowLink(files, round_trip_s=0.2, bytes_per_s=1e9) as link:
        assert fetched(link.url)[1] >= 0.4


def test_a_file_takes_as_long_as_its_size_says(files: str) -> None:
    """A bandwidth of a megabyte a second is no more than that."""
    with SlowLink(files, round_trip_s=0.0, bytes_per_s=1e6) as link:
        assert fetched(link.url)[1] >= SIZE / 1e6


def test_a_server_that_is_away_is_a_connection_that_ends(files: str) -> None:
    """As by a router that finds nobody."""
    with (
        SlowLink("http://127.0.0.1:9", round_trip_s=0.0, bytes_per_s=1e9) as link,
        pytest.raises(OSError, match=r"closed|reset"),
    ):
        fetched(link.url)
    assert fetched(files)[0]
