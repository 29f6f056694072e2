"""The stall: how long a task has made no progress, when that is a hang, and how one is ended."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from telemetry import death, stacks
from telemetry.records import ProcessEnd

FIRST_STAGE = "inputs"  # what a task that has entered no stage yet is about to enter
LONGEST_LOOK_S = 5.0
STACKS_WAIT_S = 2.0
_LOOK_S = 0.01


class Stall:
    """Counts how long the task in hand has made no progress.

    Progress is what the task itself says: a stage entered, a step done, a look whether to go on.
    The supervisor's main loop looks at it, at least once a second. Of a longer time between two
    looks little is counted: then the supervisor was held up, and often the task with it, as when
    a container is paused.

    Args:
        limits: Seconds by stage after which it is a hang; 0 is never.
        clock: Seconds, monotonic.

    Attributes:
        quiet_s: How long it is since the task's last progress, as far as it was watched.
    """

    def __init__(
        self, limits: Mapping[str, float], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._seen: tuple[UUID, float] | None = None
        self._looked_at = 0.0
        self._stage = FIRST_STAGE
        self.quiet_s = 0.0

    def look(self, token: UUID, progress: Mapping[str, Any]) -> None:
        """Look at the progress of the task that was claimed under a token."""
        now, seen = self._clock(), (token, progress.get("at", 0.0))
        if seen == self._seen:
            self.quiet_s += min(now - self._looked_at, LONGEST_LOOK_S)
        else:
            self._seen, self.quiet_s = seen, 0.0
        self._looked_at = now
        self._stage = progress.get("stage") or FIRST_STAGE

    @property
    def limit_s(self) -> float:
        """How long the stage that it is in may make no progress; 0 is for ever."""
        return self._limits[self._stage]

    @property
    def left_s(self) -> float | None:
        """Seconds until it is a hang; None where it never is."""
        return max(0.0, self.limit_s - self.quiet_s) if self.limit_s else None

    @property
    def hang(self) -> str:
        """What is wrong, in one sentence, once it is a hang; "" until then."""
        if self.left_s != 0:
            return ""
        return (
            f"no progress for {self.limit_s:g} s, so its process was ended; "
            f"where more is needed, raise {self._stage} in hang_after_s"
        )


def as_hang(end: ProcessEnd, hang: str) -> ProcessEnd:
    """Make a hang of the end of a process that was ended for doing nothing."""
    return msgspec.structs.replace(end, kind=death.HANG, message=hang)


def ask_for_stacks(pid: int, journal: Path) -> bool:
    """Have a task process write every thread's stack, which it does from C at a signal.

    Return once that is done. False when it cannot: it is stopped, or stuck in the kernel. It must
    have its signal handler already, that is, must have said where it journals.
    """
    file = journal / stacks.STACKS_FILE
    before = _size(file)
    with suppress(ProcessLookupError):
        os.kill(pid, stacks.ASK)
    deadline = time.monotonic() + STACKS_WAIT_S
    # Begun when the file grows; over when the signal's handler has returned.
    while _size(file) == before or _is_handling(pid, stacks.ASK):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _is_handling(pid: int, number: signal.Signals) -> bool:
    """Whether a process's main thread is in the handler of a signal: the kernel blocks it there.

    Signals to a process go to its main thread. See proc_pid_status(5) for the mask.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    masks = (int(line.split()[1], 16) for line in lines if line.startswith("SigBlk:"))
    return any(mask >> (number - 1) & 1 for mask in masks)
