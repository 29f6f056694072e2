"""A control group with little memory, in which the out-of-memory killer strikes without harm."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

_ROOT: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_MEMBERS: Final = "cgroup.procs"
_MEMINFO: Final = Path("/proc/meminfo")
_PARTS: Final = 3  # of a line of /proc/self/cgroup: number, controllers, group
_EMPTY_WAIT_S: Final = 10.0
_KIB: Final = 1024


class _Home(NamedTuple):
    """The group of a process, and the version of control groups that has it."""

    version: int
    path: Path


class _Group(NamedTuple):
    """A group to be made, what its files must take, and what they would better take."""

    path: Path
    limits: dict[str, str]
    wishes: dict[str, str]


@contextmanager
def limited(
    limit_bytes: int, *, root: Path = _ROOT, membership: Path = _MEMBERSHIP
) -> Iterator[str]:
    """Have this process and its children in a group with a limit for the length of the block.

    Gives "" where that holds, else why it cannot: no rights, no controller of memory, or a machine
    with so little memory left that even this little should not be taken from it.

    Args:
        limit_bytes: The limit.
        root: Where control groups are mounted.
        membership: Names the groups that this process is in.
    """
    if _available_bytes() < 4 * limit_bytes:
        yield f"less than {4 * limit_bytes >> 20} MiB of memory are left on this machine"
        return
    home = _home(root, membership)
    candidates = _candidates(home, root, limit_bytes) if home else ()
    group = next((made for one in candidates if (made := _made(one))), None)
    if home is None or group is None:
        yield "no control group with a limit of memory can be made here"
        return
    try:
        if not _moved(group):
            yield "this process may not be moved into a control group of its own"
            return
        try:
            yield ""
        finally:
            _moved(home.path)
    finally:
        _remove(group)


def _candidates(home: _Home, root: Path, limit_bytes: int) -> Iterator[_Group]:
    """Name the groups to try: inside of ours, and beside it, where version 2 allows none inside."""
    name, limit = f"loop26-drill-{os.getpid()}", str(limit_bytes)
    if home.version == 1:
        limits, wishes = {"memory.limit_in_bytes": limit}, {"memory.swappiness": "0"}
        yield _Group(home.path / name, limits, wishes)
        return
    for parent in (home.path, home.path.parent):
        if parent.is_relative_to(root):
            yield _Group(parent / name, {"memory.max": limit}, {"memory.swap.max": "0"})


def _home(root: Path, membership: Path) -> _Home | None:
    """Return the group that this process is in, as far as memory goes."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return None
    found = []
    for number, controllers, group in (line for line in lines if len(line) == _PARTS):
        below = group.lstrip("/")
        if "memory" in controllers.split(","):
            found.append(_Home(1, root / "memory" / below))
        elif number == "0":
            found.append(_Home(2, root / below))
    # Where version 1 has the memory, version 2 has it not.
    there = sorted(one for one in found if (one.path / _MEMBERS).exists())
    return there[0] if there else None


def _made(group: _Group) -> Path | None:
    try:
        group.path.mkdir()
    except OSError:
        return None
    try:
        for name, value in group.limits.items():
            _write(group.path / name, value)
    except OSError:
        _remove(group.path)
        return None
    for name, value in group.wishes.items():
        with contextlib.suppress(OSError):
            _write(group.path / name, value)
    return group.path


def _moved(group: Path) -> bool:
    try:
        _write(group / _MEMBERS, str(os.getpid()))
    except OSError:
        return False
    return True


def _write(path: Path, value: str) -> None:
    """Write into a file that the kernel has made; without it, there is none to be made."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, value.encode())
    finally:
        os.close(file)


def _remove(group: Path) -> None:
    """Remove a group; the last of its processes may need a moment to be gone."""
    deadline = time.monotonic() + _EMPTY_WAIT_S
    while time.monotonic() < deadline:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return


def _available_bytes() -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * _KIB
    return 0
