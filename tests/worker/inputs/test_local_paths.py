"""Local paths: where they may lead, and what may lie there."""

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.errors import InputError
from worker.inputs.fetch import Wanted, fetch
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Site

ROOMY = 1_000_000


def wanted(source: str | Path, max_bytes: int = ROOMY) -> Wanted:
    """Ask for a source."""
    return Wanted(source=str(source), max_bytes=max_bytes)


def test_a_local_path_is_returned_as_it_is(tmp_path: Path, policy: InputPolicy) -> None:
    """Nothing is copied."""
    (tmp_path / "a.bin").write_bytes(b"abc")
    assert fetch(wanted(tmp_path / "a.bin"), policy).read_bytes() == b"abc"


def test_a_path_that_is_not_there_is_named(tmp_path: Path, policy: InputPolicy) -> None:
    """In full."""
    with pytest.raises(InputError, match=r"there is no file .*gone.png"):
        fetch(wanted(tmp_path / "gone.png"), policy)


def test_a_folder_is_refused(tmp_path: Path, policy: InputPolicy) -> None:
    """So are devices and pipes."""
    with pytest.raises(InputError, match="is not a file"):
        fetch(wanted(tmp_path), policy)


def test_a_local_file_over_the_limit_is_refused(tmp_path: Path, policy: InputPolicy) -> None:
    """Both sizes are named."""
    (tmp_path / "a.bin").write_bytes(b"abcd")
    with pytest.raises(InputError, match="4 bytes, more than the limit of 3"):
        fetch(wanted(tmp_path / "a.bin", 3), policy)


def test_a_link_out_of_the_allowed_folders_is_refused(tmp_path: Path, policy: InputPolicy) -> None:
    """What counts is where it leads."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    (root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="outside the folders"):
        fetch(wanted(root / "link"), dataclasses.replace(policy, local_roots=(root,)))


def test_no_local_path_is_allowed_under_no_root(tmp_path: Path, policy: InputPolicy) -> None:
    """Which is something else than no limit at all; nor is it told whether the file is there."""
    (tmp_path / "a.bin").write_bytes(b"abc")
    closed = dataclasses.replace(policy, local_roots=())
    for name in ("a.bin", "gone.bin"):
        with pytest.raises(InputError, match="none may be named here; give an http"):
            fetch(wanted(tmp_path / name), closed)


def test_a_url_needs_no_root(site: "Site", policy: InputPolicy) -> None:
    """The cache is the worker's own."""
    closed = dataclasses.replace(policy, local_roots=())
    assert fetch(wanted(site.serve("/a.bin", b"abc")), closed).read_bytes() == b"abc"


@pytest.mark.parametrize(
    "name", ["../secret", "inner/../../secret", "gone/../../secret", "../gone"]
)
def test_a_path_that_climbs_out_of_its_folder_is_refused(
    tmp_path: Path, policy: InputPolicy, name: str
) -> None:
    """Whether or not it leads to a file."""
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"s")
    with pytest.raises(InputError, match="outside the folders"):
        fetch(wanted(f"{root}/{name}"), dataclasses.replace(policy, local_roots=(root,)))


def test_a_root_beside_another_of_a_longer_name_is_not_it(
    tmp_path: Path, policy: InputPolicy
) -> None:
    """Folders count, not letters."""
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "a.bin").write_bytes(b"s")
    with pytest.raises(InputError, match="outside the folders"):
        fetch(
            wanted(tmp_path / "roots" / "a.bin"),
            dataclasses.replace(policy, local_roots=(tmp_path / "root",)),
        )


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, policy: InputPolicy) -> None:
    """Nobody will ever write into it."""
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="is not a file"):
        fetch(wanted(tmp_path / "a.png"), policy)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/dev/tty", "/proc/self/fd"])
def test_a_device_is_refused(path: str, policy: InputPolicy) -> None:
    """It has no end."""
    with pytest.raises(InputError, match=r"is not a file|there is no file|is empty"):
        fetch(wanted(path), policy)


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/mem", "/proc/self/maps"])
def test_what_the_kernel_makes_up_is_refused(path: str, policy: InputPolicy) -> None:
    """It looks like an empty file and holds the secrets of a process."""
    with pytest.raises(InputError, match="is empty"):
        fetch(wanted(path), policy)


def test_a_file_behind_an_open_handle_counts_as_where_it_lies(
    tmp_path: Path, policy: InputPolicy
) -> None:
    """A path through /proc is a link like any other."""
    (tmp_path / "secret").write_bytes(b"s")
    with (tmp_path / "secret").open("rb") as file:
        path = f"/proc/self/fd/{file.fileno()}"
        assert fetch(wanted(path), policy) == tmp_path / "secret"
        with pytest.raises(InputError, match="outside the folders"):
            fetch(wanted(path), dataclasses.replace(policy, local_roots=(tmp_path / "root",)))


def test_a_circle_of_links_is_refused(tmp_path: Path, policy: InputPolicy) -> None:
    """It leads nowhere."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match=r"cannot be read|there is no file"):
        fetch(wanted(tmp_path / "a"), policy)


def test_a_name_longer_than_any_is_refused(policy: InputPolicy) -> None:
    """By the file system's own words."""
    with pytest.raises(InputError, match=r"cannot be read: .*too long"):
        fetch(wanted("/" + "a" * 5000), policy)


@contextmanager
def nobody() -> Iterator[None]:
    """Have no rights to files of others: root may read anything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_that_may_not_be_read_is_named(policy: InputPolicy) -> None:
    """It is there, and its size is known."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        secret = Path(folder) / "secret.bin"
        secret.write_bytes(b"s")
        secret.chmod(0)
        with nobody(), pytest.raises(InputError, match=r"cannot be read: .*Permission denied"):
            fetch(wanted(secret), policy)


@pytest.mark.parametrize("source", ["", "  ", "a\0b", "\ud800.png", "http://\ud800/a"])
def test_what_is_no_path_is_refused(source: str, policy: InputPolicy) -> None:
    """Before the file system is asked."""
    with pytest.raises(InputError, match="is no path"):
        fetch(wanted(source), policy)


@pytest.mark.parametrize("scheme", ["file", "ftp", "data", "FILE", "gopher"])
def test_other_schemes_are_refused(scheme: str, policy: InputPolicy) -> None:
    """In whatever case."""
    with pytest.raises(InputError, match=f"{scheme.lower()}:// is refused"):
        fetch(wanted(f"{scheme}:///etc/passwd"), policy)
