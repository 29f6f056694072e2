"""The watch over the fresh process: how far its task is, when it hangs, and how it ended."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from telemetry import death
from telemetry.oom import OomWatch
from telemetry.records import ProcessEnd
from telemetry.reports.findings import FailureFound
from worker.messages import (
    Alive,
    Finished,
    FromTaskProcess,
    Hello,
    Progress,
    Ready,
    Unready,
    outcome_of,
)
from worker.replay.fresh import KILL_WAIT_S, FreshProcess
from worker.supervisor.stall import FIRST_STAGE, Stall, as_hang, ask_for_stacks
from worker.task import Outcome

LOOK_S = 0.2
# As `worker.supervisor.stall` says it.
_LIMIT = re.compile(r"no progress for (\d+(?:\.\d+)?) s,")
LEAVE_WAIT_S = 20.0  # a driver that has failed may take its time to let go


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the fresh process may be silent.

    Attributes:
        start_s: Seconds in which it must report its device ready.
        hang_after_s: Seconds by stage without progress that make a hang; 0 is never.
    """

    start_s: float
    hang_after_s: Mapping[str, float]


def limit_told(failure: FailureFound | None) -> float | None:
    """Return the limit that a recorded hang went by, in seconds; None where it tells none.

    Its settings may have been others than those of the replay: a hang of 3 s is to hang again after
    3 s, and not after half an hour.
    """
    told = _LIMIT.match(failure.message) if failure and failure.type == death.HANG else None
    return float(told[1]) if told else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of the fresh process.

    Attributes:
        journal: Where it journalled; None where it did not come so far.
        device: What it computed on; None where it did not come so far.
        problem: Why it cannot do tasks here, or "".
        outcome: The task's; None where it was not told.
        end: How it ended, where it ended before it had told an outcome.
        last_words: What it wrote last to its stdout and stderr.
        seconds: From its being ready to the task's end.
    """

    journal: Path | None
    device: Mapping[str, Any] | None
    problem: str
    outcome: Outcome | None
    end: ProcessEnd | None
    last_words: tuple[str, ...]
    seconds: float


def follow(
    process: FreshProcess, token: UUID, limits: Limits, show: Callable[[Progress], None]
) -> Ran:
    """Watch the process to its end, which is brought about when it hangs.

    `show` is told how far the task is.
    """
    watch = Watch(token, limits, show)
    hang = ""
    for message in process.messages(LOOK_S):
        if message is not None:
            watch.hear(message)
        watch.oom.look()
        if hang := watch.hang(foreground=process.foreground):
            if watch.journal is not None:
                ask_for_stacks(process.pid, watch.journal)
            process.end()
            break
    return watch.ended(process, hang)


class Watch:
    """What has been heard of the fresh process."""

    def __init__(self, token: UUID, limits: Limits, show: Callable[[Progress], None]) -> None:
        self._token = token
        self._limits = limits
        self._show = show
        self._stall = Stall(limits.hang_after_s)
        self._progress: dict[str, Any] = {"at": 0.0, "stage": FIRST_STAGE}
        self._began_at = time.monotonic()
        self._finished_at = 0.0
        self._device: Mapping[str, Any] | None = None
        self._problem = ""
        self._outcome: Outcome | None = None
        self.oom = OomWatch()
        self.journal: Path | None = None

    def hear(self, message: FromTaskProcess) -> None:
        """Take in what it says."""
        match message:
            case Hello():
                self.journal = Path(message.journal)
            case Ready():
                self._device, self._began_at = message.device, time.monotonic()
            case Unready():
                self._problem = message.problem
            case Progress():
                self._progress = {"at": message.at, "stage": message.stage}
                self._show(message)
            case Alive():
                self._progress = {**self._progress, "at": message.at}
            case Finished():
                self._outcome, self._finished_at = outcome_of(message), time.monotonic()

    def hang(self, *, foreground: bool) -> str:
        """Say what is wrong where it takes too long; "" while it does not."""
        if self._is_over:
            stays = time.monotonic() - (self._finished_at or self._began_at) > LEAVE_WAIT_S
            return "told to end, and not gone" if stays and not foreground else ""
        if self._device is None:
            late = time.monotonic() - self._began_at > self._limits.start_s
            return f"not ready in {self._limits.start_s:g} s, so it was ended" if late else ""
        self._stall.look(self._token, self._progress)
        return self._stall.hang

    def ended(self, process: FreshProcess, hang: str) -> Ran:
        """Wait for its end, and say all that is known of it."""
        returncode = process.wait(LEAVE_WAIT_S)
        if returncode is None:
            process.end()
            returncode = process.wait(KILL_WAIT_S)
        end = None if self._is_over else self._end(returncode, hang)
        return Ran(
            journal=self.journal,
            device=self._device,
            problem=self._problem,
            outcome=self._outcome,
            end=end,
            last_words=() if end is None else tuple(process.last_words()),
            seconds=(self._finished_at or time.monotonic()) - self._began_at,
        )

    @property
    def _is_over(self) -> bool:
        return self._outcome is not None or bool(self._problem)

    def _end(self, returncode: int | None, hang: str) -> ProcessEnd:
        if returncode is None:  # stuck in the kernel: not even SIGKILL ends it
            return as_hang(death.lost(), hang or "its process cannot be ended")
        end = death.from_returncode(returncode, out_of_memory=self.oom.struck())
        return as_hang(end, hang) if hang else end
