"""Whether the out-of-memory killer struck, by what the kernel counts."""

from pathlib import Path

import pytest

from telemetry.oom import DYING_S, OomWatch, memory_events


def test_without_a_control_group_it_is_not_known(tmp_path: Path) -> None:
    """It is read where it can be."""
    assert OomWatch(tmp_path / "missing").struck() is None


@pytest.mark.parametrize("disabled", [0, 1])
def test_a_kill_since_is_told(tmp_path: Path, disabled: int) -> None:
    """Version 1 counts kills beside a switch whose name begins alike."""
    control = tmp_path / "memory.oom_control"
    control.write_text(f"oom_kill_disable {disabled}\nunder_oom 0\noom_kill 4\n")
    watch = OomWatch(control)
    assert watch.struck() is False
    control.write_text(f"oom_kill_disable {disabled}\nunder_oom 0\noom_kill 5\n")
    assert watch.struck()


def test_a_kill_of_long_ago_is_none_of_a_later_death(tmp_path: Path) -> None:
    """It was another process of the group, whose task had failed by it."""
    counts, now = tmp_path / "memory.events", 1000.0
    counts.write_text("oom_kill 4\n")
    watch = OomWatch(counts, clock=lambda: now)
    counts.write_text("oom_kill 5\n")
    for _ in range(int(DYING_S)):
        now += 1
        watch.look()
        assert watch.struck()
    now += 1
    watch.look()
    assert not watch.struck()


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/pods/one", "pods/one/memory.events"),
        ("4:cpu,memory:/pods/one", "memory/pods/one/memory.oom_control"),
    ],
    ids=["version 2", "version 1"],
)
def test_the_control_group_of_a_process_is_found(tmp_path: Path, line: str, file: str) -> None:
    """By its line in /proc/self/cgroup."""
    counts = tmp_path / "fs" / file
    counts.parent.mkdir(parents=True)
    counts.write_text("oom_kill 0\n")
    membership = tmp_path / "cgroup"
    membership.write_text(f"9:name=systemd:/\nno line of it\n{line}\n")
    assert memory_events(membership, tmp_path / "fs") == counts


def test_a_group_that_counts_nothing_is_none(tmp_path: Path) -> None:
    """The root group of version 2 has no such file."""
    membership = tmp_path / "cgroup"
    membership.write_text("0::/\n")
    assert memory_events(membership, tmp_path / "fs") is None
