"""Whether the kernel's out-of-memory killer struck."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

DYING_S: Final = 30.0  # from its being killed until a process has given back all that it had
_LOOK_EVERY_S: Final = 1.0
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_PARTS: Final = 3  # of a line of /proc/self/cgroup: number, controllers, group


class OomWatch:
    """Tells whether the out-of-memory killer has just struck in a control group.

    Reads `oom_kill` of `memory.events` (control groups version 2) or `memory.oom_control` (version
    1). Where there is none to read it does not know: a SIGKILL is then called just that. The
    group's other processes are counted, too, so that what was counted long before a death, or
    before this was made, is none of that death's.

    Args:
        events: The file; this process's own group by default, which its children share.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, events: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._events = events or memory_events()
        self._clock = clock
        self._looks = deque([(clock(), self._count())])

    def look(self) -> None:
        """Take in what is counted by now; to be called again and again while all are alive."""
        now = self._clock()
        if now - self._looks[-1][0] >= _LOOK_EVERY_S:
            self._looks.append((now, self._count()))
        while len(self._looks) > 1 and now - self._looks[1][0] >= DYING_S:
            self._looks.popleft()

    def struck(self) -> bool | None:
        """Whether a process of the group has been killed for memory lately; None if unknown."""
        before, now = self._looks[0][1], self._count()
        return None if before is None or now is None else now > before

    def _count(self) -> int | None:
        if self._events is None:
            return None
        try:
            lines = self._events.read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        except (OSError, ValueError, IndexError, StopIteration):
            return None


def memory_events(membership: Path = _MEMBERSHIP, root: Path = _CGROUPS) -> Path | None:
    """Return the file that counts the kills in a process's control group; None without one."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return None
    for number, controllers, group in (line for line in lines if len(line) == _PARTS):
        if number == "0":
            file = root / group.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            file = root / "memory" / group.lstrip("/") / "memory.oom_control"
        else:
            continue
        if file.is_file():
            return file
    return None
