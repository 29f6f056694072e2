"""Deaths, of real processes."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry import death
from telemetry.errors import JournalBusy
from telemetry.journal import JournalReader, process_directories
from telemetry.records import Error, ProcessEnd
from telemetry.testing import wait_until

WORK = """
import os, signal, sys
from pathlib import Path
from telemetry.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), role="task")
with recorder.task(task_id="t1", attempt=1, task_type="travel_segment", trace_id=b"t" * 16,
                   worker_id="w"), recorder.span("process travel_segment", trace_id=b"t" * 16):
    for index in (1, 2):
        with recorder.iteration(index, 32, {}):
            pass
    with recorder.stage("generate"), recorder.engine_call("generate", engine="e", model="m"):
        print("ready", flush=True)
        {last}
"""
DEATHS = {
    "sigkill": "os.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "os.kill(os.getpid(), signal.SIGSEGV)",
    "abort": "os.abort()",
    "sigterm": "os.kill(os.getpid(), signal.SIGTERM)",
    "signal": "os.kill(os.getpid(), signal.SIGUSR1)",
    "exit": "os._exit(3)",
}


def die(spool: Path, last: str) -> int:
    """Run a task process to its death; return its return code."""
    command = [sys.executable, "-c", WORK.replace("{last}", last), str(spool)]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode


@pytest.mark.parametrize("kind", DEATHS)
def test_each_death_is_named_for_what_it_was(spool: Path, kind: str) -> None:
    """By what the kernel says of a real process."""
    assert death.from_returncode(die(spool, DEATHS[kind])).kind == kind


def test_an_exit_code_and_a_signal_are_facts_and_words() -> None:
    """For machines and for people."""
    exited, killed = death.from_returncode(3), death.from_returncode(-signal.SIGKILL)
    assert (exited.exit_code, exited.message) == (3, "the process ended with exit code 3")
    assert (killed.signal, killed.exit_code) == ("SIGKILL", None)
    assert "SIGKILL" in killed.message


def test_an_unknown_signal_is_told_by_its_number() -> None:
    """Real-time signals have no names."""
    assert "signal 60" in death.from_returncode(-60).message


def test_a_sigkill_is_an_oom_when_the_group_counted_one(tmp_path: Path) -> None:
    """The kernel counts in memory.events, and nowhere says whom."""
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 1\noom_kill 1\n")
    watch = death.OomWatch(events)
    assert not watch.struck()
    events.write_text("low 0\noom 2\noom_kill 2\n")
    end = death.from_returncode(-signal.SIGKILL, out_of_memory=watch.struck())
    assert (end.kind, end.signal) == ("oom", "SIGKILL")


def test_the_line_that_opened_the_innermost_span_is_the_place(spool: Path) -> None:
    """SIGKILL leaves no stack; the journal names the line."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    error = death.failure_of(process_directories(spool)[0], end)
    assert (error.kind, error.type, error.place) == ("death", "sigkill", "opened at")
    assert (error.file, error.line) == ("<string>", 11)
    assert error.stage == "generate"
    assert error.task_id == "t1"


def test_the_loop_position_is_that_of_the_newest_iteration(spool: Path) -> None:
    """Two of 32 were done: a reader sees how far the task was."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    error = death.failure_of(process_directories(spool)[0], end)
    assert (error.loop_index, error.loop_count) == (2, 32)


def test_two_deaths_at_one_place_have_one_fingerprint(tmp_path: Path) -> None:
    """So that they are shown as one failure."""
    found = set()
    for name in ("one", "two"):
        end = death.from_returncode(die(tmp_path / name, DEATHS["sigkill"]))
        directory = process_directories(tmp_path / name)[0]
        found.add(death.failure_of(directory, end).fingerprint)
    assert len(found) == 1


def test_closing_writes_the_error_then_the_end(spool: Path) -> None:
    """What the dead could not write, in the order in which a reader needs it."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    error = death.close_dead(directory, end)
    *_, last_but_one, last = [record.body for record in JournalReader(directory).read()]
    assert (last_but_one, last) == (error, end)


def test_closing_twice_writes_once(spool: Path) -> None:
    """Two supervisors may find the same leftover."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    for _ in range(2):
        death.close_dead(directory, end)
    bodies = [record.body for record in JournalReader(directory).read()]
    assert len([body for body in bodies if isinstance(body, Error | ProcessEnd)]) == 2


def test_an_idle_process_that_exits_has_no_error(script: Any) -> None:
    """A task process between two tasks may be recycled."""
    script.writer.close()
    death.close_dead(script.directory, death.from_returncode(0))
    bodies = [record.body for record in JournalReader(script.directory).read()]
    assert [type(body) for body in bodies] == [ProcessEnd]


def test_the_journal_of_a_live_process_is_not_closed(script: Any) -> None:
    """Its own process would write on after the end."""
    with pytest.raises(JournalBusy):
        death.close_dead(script.directory, death.lost())


def test_closing_waits_for_whoever_asks_whether_the_process_is_alive(spool: Path) -> None:
    """Asking holds the lock for an instant."""
    program = (
        "import fcntl, sys, time; file = open(sys.argv[1]);"
        "fcntl.flock(file, fcntl.LOCK_SH); print(flush=True); time.sleep(0.2)"
    )
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    command = [sys.executable, "-c", program, str(directory / "alive")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert death.close_dead(directory, end).task_id == "t1"
        wait_until(lambda: holder.poll() is not None)
