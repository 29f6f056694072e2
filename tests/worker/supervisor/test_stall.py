"""Silence of a task is counted, called a hang at its limit, and its place is written down."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from telemetry import death, names, stacks
from worker.settings import Settings
from worker.settings.setting_types import HANG_AFTER_S
from worker.supervisor import stall
from worker.supervisor.stall import LONGEST_LOOK_S, Stall, as_hang, ask_for_stacks

TOKEN = uuid4()
LIMITS = {**dict.fromkeys(names.STAGES, 0.0), "inputs": 3.0, "generate": 10.0}

# Prepares its stacks as a task process does, says where, and then does what it is told.
HANGS = """
import ctypes, sys, threading, time
from pathlib import Path
from telemetry import stacks
stacks.write_to(Path(sys.argv[1]))
print("ready", flush=True)
def hang():
    {hang}
hang()
"""
WAYS = {
    "in Python": "time.sleep(60)",
    "at a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "in native code": "ctypes.CDLL(None).sleep(60)",
    "in native code with the GIL": "ctypes.PyDLL(None).sleep(60)",
}


class Watched:
    """A stall, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stall = Stall(LIMITS, clock=lambda: self.now)

    def look(
        self, after_s: float = 0.0, token: UUID = TOKEN, **progress: Any
    ) -> tuple[float, bool]:
        """Let time pass, look; return for how long the task has been quiet, and if it hangs."""
        self.now += after_s
        self.stall.look(token, progress)
        return self.stall.quiet_s, bool(self.stall.hang)


@pytest.fixture
def watched() -> Watched:
    """Give a stall that is watched."""
    return Watched()


def test_silence_up_to_the_limit_is_a_hang(watched: Watched) -> None:
    """Counted from the task's last progress, by the limit of the stage that it is in."""
    stands = {"stage": "generate", "at": 7.0}
    assert watched.look(**stands) == (0, False)
    assert watched.look(5, **stands) == (5, False)
    assert watched.stall.left_s == 5
    assert watched.look(4, **stands) == (9, False)
    assert watched.look(1, **stands) == (10, True)


def test_progress_begins_the_count_anew(watched: Watched) -> None:
    """A step, or a look whether to go on, has another time."""
    for at in range(100):
        assert watched.look(4, stage="generate", at=at) == (0, False)


def test_another_task_begins_the_count_anew(watched: Watched) -> None:
    """Also when it has said as little as the one before."""
    watched.look()
    watched.look(2)
    assert watched.look(2, token=uuid4()) == (0, False)


def test_before_its_first_stage_a_task_has_the_time_of_the_first(watched: Watched) -> None:
    """It has said nothing at all."""
    watched.look()
    assert watched.look(2) == (2, False)
    assert watched.look(1) == (3, True)


def test_without_a_limit_nothing_is_a_hang(watched: Watched) -> None:
    """0 is never; how long it is quiet is counted all the same."""
    watched.look(stage="model", at=1.0)
    for _ in range(1000):
        quiet_s, hangs = watched.look(5, stage="model", at=1.0)
    assert (quiet_s, hangs, watched.stall.left_s) == (5000, False, None)


def test_a_pause_of_the_supervisor_is_not_the_tasks(watched: Watched) -> None:
    """A container that was paused for an hour finds its task where it was, not hanging."""
    watched.look(stage="generate", at=1.0)
    assert watched.look(3600, stage="generate", at=1.0) == (LONGEST_LOOK_S, False)


def test_the_sentence_says_the_limit_and_the_way_out(watched: Watched) -> None:
    """For people, on the task's row."""
    watched.look()
    watched.look(3)
    assert "no progress for 3 s" in watched.stall.hang
    assert "raise inputs in hang_after_s" in watched.stall.hang


def test_a_hang_keeps_the_signal_that_ended_it() -> None:
    """The kind is what it was; SIGKILL was how it ended."""
    end = as_hang(death.from_returncode(-signal.SIGKILL), "no progress for 3 s")
    assert (end.kind, end.signal, end.message) == ("hang", "SIGKILL", "no progress for 3 s")


def test_a_download_may_take_its_time(tmp_path: Path) -> None:
    """By default, what may be downloaded in a stage may take longer than the limit of none."""
    settings = Settings(home=tmp_path)
    for stage in ("inputs", "loras", "model"):
        assert settings.hang_after_s[stage] > settings.download_timeout_s
    assert tuple(HANG_AFTER_S) == names.STAGES


@contextmanager
def hanging(journal: Path, way: str) -> Iterator[int]:
    """Run a process that hangs; give its id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGS.format(hang=way), str(journal)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def is_asleep(pid: int) -> bool:
    """Whether a process waits in the kernel."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the limit of the whole test is the deadline."""
    while not condition():
        os.sched_yield()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_line_that_hangs_is_written_from_c(way: str, tmp_path: Path) -> None:
    """Whatever holds the GIL; the process is none the worse for it."""
    with hanging(tmp_path, way) as pid:
        until(lambda: is_asleep(pid))
        assert ask_for_stacks(pid, tmp_path)
        (dump,) = stacks.read(tmp_path)
        os.kill(pid, 0)
    assert dump.stopped is not None
    assert [frame.function for frame in dump.stopped.frames] == ["<module>", "hang"]
    assert dump.stopped.frames[-1].line == 8


def test_a_process_that_is_stopped_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked and not waited for without end."""
    monkeypatch.setattr(stall, "STACKS_WAIT_S", 0.1)
    with hanging(tmp_path, "time.sleep(60)") as pid:
        os.kill(pid, signal.SIGSTOP)
        assert not ask_for_stacks(pid, tmp_path)
    assert stacks.read(tmp_path) == []


def test_a_process_that_is_gone_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may end while it is being asked."""
    monkeypatch.setattr(stall, "STACKS_WAIT_S", 0.1)
    with hanging(tmp_path, "time.sleep(60)") as pid:
        pass
    assert not ask_for_stacks(pid, tmp_path)
