"""The ways to die at the stages of a task: what is known of each beforehand."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.home import Home, wait_for
from tests.acceptance.injection import STAGES

GROUP = Path("/sys/fs/cgroup/memory") / f"loop26-test-{os.getpid()}"
GROUP_BYTES = 3 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """What is known of a death beforehand.

    `stopped` is whether a Python stack can be: then the fault's own line is named, else the line
    that opened the innermost span. `dies` is false of what an exception is made of.
    """

    kind: str
    stopped: bool = True
    dies: bool = True
    signal: str = ""
    exit_code: int | None = None


DEATHS = {
    "exception": Death(kind="LookupError", dies=False),
    "sys_exit": Death(kind="SystemExit", dies=False),
    "memory_limit": Death(kind="MemoryError", dies=False),
    "sigint": Death(kind="sigint", signal="SIGINT"),
    "sigterm": Death(kind="sigterm", signal="SIGTERM"),
    "sigkill": Death(kind="sigkill", signal="SIGKILL", stopped=False),
    "out_of_memory": Death(kind="oom", signal="SIGKILL", stopped=False),
    "abort": Death(kind="abort", signal="SIGABRT"),
    "segfault": Death(kind="segfault", signal="SIGSEGV"),
    "bus_error": Death(kind="bus_error", signal="SIGBUS"),
    "bad_system_call": Death(kind="bad_system_call", signal="SIGSYS"),
    "fatal_error": Death(kind="abort", signal="SIGABRT"),
    "stack_overflow": Death(kind="segfault", signal="SIGSEGV"),
    "os_exit": Death(kind="exit", exit_code=3),
    "c_exit": Death(kind="exit", exit_code=4, stopped=False),
    "torn_record": Death(kind="sigkill", signal="SIGKILL", stopped=False),
    "both_at_once": Death(kind="lost", stopped=False),
    "abort_while_unwinding": Death(kind="abort", signal="SIGABRT"),
}
CELLS = [f"{death}@{stage}" for stage in STAGES for death in DEATHS]
# Each death once, each stage three times.
FEW = [f"{death}@{list(STAGES)[n % len(STAGES)]}" for n, death in enumerate(DEATHS)]


def death_of(cell: str) -> str:
    """Return the death that is died in a cell."""
    return cell.partition("@")[0]


@contextmanager
def control_group() -> Iterator[Path | None]:
    """Make a control group with little memory; None where that may not be done."""
    try:
        GROUP.mkdir()
        (GROUP / "memory.limit_in_bytes").write_text(str(GROUP_BYTES))
    except OSError:
        yield None
        return
    try:
        yield GROUP
    finally:
        members = GROUP / "cgroup.procs"
        wait_for(lambda: not members.read_text(), "end of the group's processes", 20)
        GROUP.rmdir()


def worker_dies(home: Home, group: Path | None, patience_s: float) -> bool:
    """Run a worker, in a control group if there is one, until it is idle; whether it was killed."""
    worker = home.worker("--set", "max_deaths=1")
    if group:
        (group / "cgroup.procs").write_text(str(worker.process.pid))
    code = worker.process.wait(timeout=patience_s)
    assert code in (0, -signal.SIGKILL), worker.lines()
    return code != 0
