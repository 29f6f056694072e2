"""Inputs become files: local paths checked, URLs downloaded within limits."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.errors import InputError, TaskCancelled
from worker.inputs import addresses
from worker.inputs.fetch import Wanted, cache_path, fetch
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Site

ROOMY = 1_000_000


def wanted(source: str | Path, max_bytes: int = ROOMY) -> Wanted:
    """Ask for a source."""
    return Wanted(source=str(source), max_bytes=max_bytes)


def files(policy: InputPolicy) -> list[str]:
    """Return the names of all files in the cache."""
    return sorted(path.name for path in policy.cache_dir.glob("*"))


def test_a_download_has_the_served_bytes(site: "Site", policy: InputPolicy) -> None:
    """All of them."""
    body = bytes(range(256)) * 3000
    assert fetch(wanted(site.serve("/a.bin", body)), policy).read_bytes() == body


def test_a_second_fetch_of_a_url_asks_nobody(site: "Site", policy: InputPolicy) -> None:
    """It is in the cache."""
    url = site.serve("/a.bin", b"abc")
    assert fetch(wanted(url), policy) == fetch(wanted(url), policy)
    assert site.seen == ["/a.bin"]


def test_two_urls_with_one_basename_stay_two_files(site: "Site", policy: InputPolicy) -> None:
    """The cache is keyed by URL."""
    one, two = site.serve("/1/a.bin", b"one"), site.serve("/2/a.bin", b"two")
    assert fetch(wanted(one), policy).read_bytes() == b"one"
    assert fetch(wanted(two), policy).read_bytes() == b"two"


def test_the_cache_is_keyed_by_the_hash_of_the_url(site: "Site", policy: InputPolicy) -> None:
    """With the suffix that readers go by; the query is no part of that."""
    url = site.serve("/a.PNG", b"abc") + "?token=secret"
    fetch(wanted(url), policy)
    assert files(policy) == [hashlib.sha256(url.encode()).hexdigest() + ".png"]


def test_a_kept_file_that_has_rotted_is_downloaded_again(
    site: "Site", policy: InputPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    """Once; and it is told."""

    def whole(path: Path) -> None:
        if path.read_bytes() != b"abc":
            raise InputError(url, "is not whole")

    url = site.serve("/a.bin", b"abc")
    asked = Wanted(source=url, max_bytes=ROOMY, verify=whole)
    fetch(asked, policy).write_bytes(b"ab")
    for _ in range(2):
        assert fetch(asked, policy).read_bytes() == b"abc"
    assert site.seen == ["/a.bin", "/a.bin"]
    assert "a kept download is made again" in caplog.text


def test_a_kept_file_that_does_not_verify_stays_for_those_whom_it_suits(
    site: "Site", policy: InputPolicy
) -> None:
    """It is replaced by what is better, and not removed for one who asks too much."""

    def refuse(_path: Path) -> None:
        raise InputError(url, "is bad")

    url = site.serve("/a.bin", b"abc")
    kept = fetch(wanted(url), policy)
    with pytest.raises(InputError, match="is bad"):
        fetch(Wanted(source=url, max_bytes=ROOMY, verify=refuse), policy)
    assert site.seen == ["/a.bin", "/a.bin"]
    assert files(policy) == [kept.name]
    assert fetch(wanted(url), policy).read_bytes() == b"abc"
    assert site.seen == ["/a.bin", "/a.bin"]


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (403, False), (503, True)])
def test_an_http_error_says_its_status(
    site: "Site", policy: InputPolicy, status: int, *, retryable: bool
) -> None:
    """A server error is worth another try, a refusal is not."""
    url = site.status("/a.png", status)
    with pytest.raises(InputError, match=f"answered {status} ") as caught:
        fetch(wanted(url), policy)
    assert caught.value.retryable is retryable


def test_the_query_of_a_url_is_not_told(site: "Site", policy: InputPolicy) -> None:
    """A signed URL carries its token there."""
    url = site.status("/a.png", 404) + "?token=secret"
    with pytest.raises(InputError) as caught:
        fetch(wanted(url), policy)
    assert "secret" not in str(caught.value)


def test_an_endless_body_ends_at_the_size_limit(site: "Site", policy: InputPolicy) -> None:
    """Nothing of it is kept."""
    url = site.endless("/a.bin", b"x" * 10_000)
    with pytest.raises(InputError, match="larger than the limit of 100,000 bytes"):
        fetch(wanted(url, 100_000), policy)


def test_a_slow_endless_body_ends_at_the_time_limit(site: "Site", policy: InputPolicy) -> None:
    """Although bytes keep coming."""
    url = site.endless("/a.bin", b"x", pause_s=0.02)
    with pytest.raises(InputError, match=r"within 0.3 s") as caught:
        fetch(wanted(url), dataclasses.replace(policy, timeout_s=0.3))
    assert caught.value.retryable


def test_a_size_announced_over_the_limit_is_refused_unread(
    site: "Site", policy: InputPolicy
) -> None:
    """Its body never comes."""
    url = site.cut_off("/a.bin", b"", announced=10**12)
    with pytest.raises(InputError, match="larger than the limit"):
        fetch(wanted(url), policy)


def test_a_body_that_is_cut_off_is_refused_and_not_kept(site: "Site", policy: InputPolicy) -> None:
    """It may be whole the next time."""
    url = site.cut_off("/a.bin", b"abc", announced=100)
    with pytest.raises(InputError, match="the connection failed") as caught:
        fetch(wanted(url), policy)
    assert caught.value.retryable
    assert files(policy) == []


def test_a_server_that_is_not_there_is_worth_another_try(site: "Site", policy: InputPolicy) -> None:
    """Port 1 has no listener."""
    with pytest.raises(InputError, match="the connection failed") as caught:
        fetch(wanted(site.url("/a").replace(str(site.port), "1")), policy)
    assert caught.value.retryable


def test_a_redirect_is_followed(site: "Site", policy: InputPolicy) -> None:
    """A relative one too."""
    site.serve("/b.bin", b"moved")
    url = site.status("/a.bin", 302, location="/b.bin")
    assert fetch(wanted(url), policy).read_bytes() == b"moved"


def test_redirects_in_a_circle_end(site: "Site", policy: InputPolicy) -> None:
    """After five."""
    url = site.status("/a.bin", 302, location="/a.bin")
    with pytest.raises(InputError, match="more than 5 redirects"):
        fetch(wanted(url), policy)


def test_a_redirect_to_another_scheme_is_refused(site: "Site", policy: InputPolicy) -> None:
    """A file of this machine is no download."""
    url = site.status("/a.bin", 302, location="file:///etc/passwd")
    with pytest.raises(InputError, match="is no http"):
        fetch(wanted(url), policy)


def test_a_redirect_to_a_private_address_is_refused(
    site: "Site", policy: InputPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hop's address is made to pass, as a public server's would; the second's is real."""
    public = addresses.is_public
    monkeypatch.setattr(
        addresses, "is_public", lambda address: str(address) == "127.0.0.1" or public(address)
    )
    url = site.status("/a.bin", 302, location="http://169.254.169.254/latest/meta-data")
    with pytest.raises(InputError, match=r"'169.254.169.254' is at 169.254.169.254"):
        fetch(wanted(url), dataclasses.replace(policy, private_addresses=False))


def test_loopback_is_refused_unless_private_addresses_are_allowed(
    site: "Site", policy: InputPolicy
) -> None:
    """No connection is made."""
    url = site.serve("/a.bin", b"abc")
    with pytest.raises(InputError, match="no public address"):
        fetch(wanted(url), dataclasses.replace(policy, private_addresses=False))
    assert site.seen == []


def test_the_host_header_keeps_the_name(site: "Site", policy: InputPolicy) -> None:
    """Though the connection goes to the address that was checked."""
    site.serve("/a.bin", b"abc")
    fetch(wanted(site.url("/a.bin", host="localhost")), policy)
    assert site.hosts == [f"localhost:{site.port}"]


def test_a_download_that_does_not_verify_is_not_kept(site: "Site", policy: InputPolicy) -> None:
    """So the next attempt downloads it anew."""

    def refuse(_path: Path) -> None:
        raise InputError("it", "is bad")

    url = site.serve("/a.bin", b"abc")
    with pytest.raises(InputError, match="is bad"):
        fetch(Wanted(source=url, max_bytes=ROOMY, verify=refuse), policy)
    assert files(policy) == []


def test_a_cancelled_task_stops_its_download(site: "Site", policy: InputPolicy) -> None:
    """Between two chunks."""

    def cancelled() -> None:
        raise TaskCancelled("by its user")

    url = site.endless("/a.bin", b"x" * 10_000)
    with pytest.raises(TaskCancelled):
        fetch(Wanted(source=url, max_bytes=10**12, check=cancelled), policy)
    assert files(policy) == []


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, site: "Site", policy: InputPolicy
) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_bytes(b"")
    broken = dataclasses.replace(policy, cache_dir=tmp_path / "file" / "cache")
    with pytest.raises(InputError, match="cannot be kept in the cache"):
        fetch(wanted(site.serve("/a.bin", b"abc")), broken)


def test_leftovers_of_killed_downloads_are_swept(site: "Site", policy: InputPolicy) -> None:
    """Once they are older than any download may take."""
    policy.cache_dir.mkdir()
    leftover = policy.cache_dir / ".part-1-abcd-a.bin"
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    url = site.serve("/a.bin", b"abc")
    fetch(wanted(url), policy)
    assert files(policy) == [cache_path(url, policy).name]
