"""Offline, an input comes from the cache, or it is said that it is not there."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.errors import InputError
from worker.inputs.fetch import NotInCache, Wanted, cache_path, fetch
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Site


def wanted(source: str) -> Wanted:
    """Ask for a source."""
    return Wanted(source=source, max_bytes=1_000_000)


@pytest.fixture
def offline(policy: InputPolicy) -> InputPolicy:
    """Give the policy under which nothing is downloaded."""
    return dataclasses.replace(policy, offline=True)


def test_what_is_kept_is_had(site: "Site", policy: InputPolicy, offline: InputPolicy) -> None:
    """The server is asked once, and not again."""
    url = site.serve("/a.bin", b"abc")
    fetch(wanted(url), policy)
    assert fetch(wanted(url), offline).read_bytes() == b"abc"
    assert site.seen == ["/a.bin"]


def test_what_is_not_kept_is_named_and_nobody_is_asked(site: "Site", offline: InputPolicy) -> None:
    """Without the token in its query."""
    url = site.serve("/a.bin", b"abc")
    with pytest.raises(NotInCache, match=r"/a\.bin\?…': is not kept in the cache") as refused:
        fetch(wanted(f"{url}?token=planted"), offline)
    assert "planted" not in str(refused.value)
    assert site.seen == []


def test_a_kept_file_that_has_rotted_is_refused_for_what_it_is(
    site: "Site", policy: InputPolicy, offline: InputPolicy
) -> None:
    """It is not downloaded again."""
    url = site.serve("/a.bin", b"abc")
    path = fetch(wanted(url), policy)

    def verify(file: Path) -> None:
        raise InputError(str(file), "has rotted")

    with pytest.raises(InputError, match="has rotted"):
        fetch(dataclasses.replace(wanted(url), verify=verify), offline)
    assert path == cache_path(url, policy)
    assert site.seen == ["/a.bin"]


def test_a_local_path_is_had_as_ever(tmp_path: Path, offline: InputPolicy) -> None:
    """It needs no network."""
    file = tmp_path / "a.bin"
    file.write_bytes(b"abc")
    assert fetch(wanted(str(file)), offline) == file
