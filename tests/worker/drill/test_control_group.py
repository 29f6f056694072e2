"""The control group in which memory runs out: entered, left and removed, or said to be none."""

import os
from pathlib import Path

import pytest

from worker.drill.control_group import limited

MIB = 2**20


def membership() -> str:
    """Return the groups that this process is in."""
    return Path("/proc/self/cgroup").read_text()


def groups() -> list[Path]:
    """Return the groups of drills of this process that are there."""
    return list(Path("/sys/fs/cgroup").glob(f"**/loop26-drill-{os.getpid()}"))


def test_this_process_is_in_it_for_the_length_of_the_block() -> None:
    """And where it was before, afterwards."""
    before = membership()
    with limited(256 * MIB) as why:
        if why:
            pytest.skip(why)
        assert f"loop26-drill-{os.getpid()}" in membership()
        assert len(groups()) == 1
    assert membership() == before
    assert groups() == []


def test_an_exception_leaves_it_too() -> None:
    """A drill that is broken off must not stay in a group with little memory."""
    before = membership()
    with pytest.raises(LookupError), limited(256 * MIB):
        raise LookupError("broken off")
    assert membership() == before
    assert groups() == []


def test_a_machine_with_little_memory_left_is_left_alone() -> None:
    """Nothing is made there."""
    before = membership()
    with limited(2**60) as why:
        assert "memory are left on this machine" in why
        assert membership() == before


def test_where_none_can_be_made_that_is_said(tmp_path: Path) -> None:
    """As by a user without rights, or in a container whose groups cannot be written."""
    with limited(256 * MIB, root=tmp_path) as why:
        assert why == "no control group with a limit of memory can be made here"


def test_a_folder_that_is_no_control_group_is_taken_for_none(tmp_path: Path) -> None:
    """A group has its files from the kernel: none are written into one that lacks them."""
    (tmp_path / "membership").write_text("0::/service\n")
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "cgroup.procs").write_text("")
    with limited(256 * MIB, root=tmp_path, membership=tmp_path / "membership") as why:
        assert why == "no control group with a limit of memory can be made here"
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == ["cgroup.procs", "membership", "service"]
