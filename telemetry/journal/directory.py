"""The directory of a process's journal: its name, its files, whether its process is alive."""

import contextlib
import fcntl
import os
import re
import secrets
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from telemetry.errors import JournalBusy
from telemetry.journal import slate
from telemetry.journal.format import ProcessFacts

SUFFIX: Final = ".journal"
ALIVE: Final = "alive"
INDEX: Final = "index.jsonl"
# Stands there once the record of the process's end has been written.
ENDED: Final = "ended"
# Directories that are still being made; renamed when their process holds its lock.
UNFINISHED: Final = ".new-"
# Directories that are being deleted; renamed first, so that nobody meets half a journal.
DOOMED: Final = ".old-"
_PROBED_S: Final = 0.5
_TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"
_is_name: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[a-z]+-\d+-[0-9a-f]{8}").fullmatch


def process_directories(spool: Path) -> list[Path]:
    """Return the directory of every process's journal under a spool, oldest first."""
    return [spool / name for name in sorted(process_names(spool))]


def process_names(spool: Path) -> set[str]:
    """Return the names of these directories: known by their form, not looked into."""
    try:
        with os.scandir(spool) as entries:
            return {one.name for one in entries if _is_name(one.name) and one.is_dir()}
    except FileNotFoundError:
        return set()


def mark_ended(directory: Path) -> None:
    """Note that the record of the process's end has been written, so that nobody looks for it.

    Without room for the note, or killed before it is made, whoever wants to know reads the journal.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(directory / ENDED, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def is_marked_ended(directory: Path) -> bool:
    """Whether the note is there; where it is not, the process may have ended all the same."""
    return os.path.lexists(f"{directory}/{ENDED}")


def is_alive(directory: Path) -> bool:
    """Whether the process that writes a journal is alive; the kernel knows, by its lock."""
    try:
        file = os.open(directory / ALIVE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(file)


def journal_files(directory: Path) -> dict[int, Path]:
    """Return a journal's files by number, in order."""
    try:
        found = [path for path in directory.iterdir() if path.suffix == SUFFIX]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    numbered = {int(path.stem): path for path in found if path.stem.isdecimal()}
    return dict(sorted(numbered.items()))


def journal_file(directory: Path, number: int) -> Path:
    """Return the path of the file with this number."""
    return directory / f"{number:06}{SUFFIX}"


def new_name(role: str) -> str:
    """Return a name for this process's directory; names sort by time."""
    return f"{datetime.now(UTC):{_TIME_FORMAT}}-{role}-{os.getpid()}-{secrets.token_hex(4)}"


def lock_alive(directory: Path) -> int:
    """Take the lock that says this process is alive, for as long as the descriptor is open.

    Its file is the journal's slate. Raises `JournalBusy` when another process holds the lock.
    """
    file = os.open(directory / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(file, directory)
        slate.prepare(file)
    except BaseException:
        os.close(file)
        raise
    return file


def _lock(file: int, directory: Path) -> None:
    deadline = time.monotonic() + _PROBED_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # `is_alive` in another thread or process holds the lock for some microseconds.
            if time.monotonic() > deadline:
                raise JournalBusy(directory) from None
            time.sleep(0.001)
        else:
            return


def this_process(role: str, name: str, version: str) -> ProcessFacts:
    """Return the facts of this process, but for those its owner adds."""
    return ProcessFacts(
        id=name,
        role=role,
        pid=os.getpid(),
        started_ns=time.time_ns(),
        host=socket.gethostname(),
        version=version,
    )


def facts_of_name(directory: Path) -> ProcessFacts:
    """Return what a directory's name alone tells, for a journal whose header is damaged."""
    moment, _, rest = directory.name.partition("-")
    role, _, rest = rest.partition("-")
    pid = rest.partition("-")[0]
    try:
        started = datetime.strptime(moment, _TIME_FORMAT).replace(tzinfo=UTC)
        started_ns = int(started.timestamp() * 1e9)
    except ValueError:
        started_ns = 0
    return ProcessFacts(
        id=directory.name,
        role=role,
        pid=int(pid) if pid.isdecimal() else 0,
        started_ns=started_ns,
    )
