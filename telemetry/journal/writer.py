"""The writer of a journal: one `write` per record, done before the next line of Python runs."""

import contextlib
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from telemetry import names
from telemetry.errors import JournalBusy
from telemetry.journal import index, slate
from telemetry.journal.directory import (
    INDEX,
    journal_files,
    lock_alive,
    mark_ended,
    new_name,
    this_process,
)
from telemetry.journal.format import (
    MAX_BODY_BYTES,
    Position,
    ProcessFacts,
    pack_frame,
)
from telemetry.journal.opening import FULL, OpenFile, open_file, open_new
from telemetry.journal.reader import JournalReader, last_seq
from telemetry.records import Kind, Log

ROTATE_BYTES: Final = 64 * 2**20
# Members of an enumeration are slow to look up; this is done for every record.
_TASK_BEGIN: Final = Kind.TASK_BEGIN  # the first of those that mark a task or the process
_TASK_END: Final = Kind.TASK_END
_PROCESS_END: Final = Kind.PROCESS_END  # the last of them
_JOURNAL_SEQ: Final = names.JOURNAL_SEQ
_WARN: Final = 13  # severity number of OpenTelemetry's log data model
_TRY_EVERY_S: Final = 1.0
_NONE: Final = OpenFile(-1, 0)


class JournalWriter:
    """Appends records to the files of one directory.

    Attributes:
        directory: Where the files are; its name is the process's id.
        next_seq: Number of the next record; the first is 1.
        lost: How many records could not be written, because the disk was full or failing. Their
            numbers are missing from the journal, and a log record tells of them once it can.
    """

    def __init__(
        self,
        directory: Path,
        *,
        facts: ProcessFacts,
        file_number: int = 1,
        next_seq: int = 1,
        rotate_bytes: int = ROTATE_BYTES,
    ) -> None:
        self.directory = directory
        self.facts = facts
        self.next_seq = next_seq
        self.lost = 0
        self._told_lost = 0
        self._rotate_bytes = rotate_bytes
        self._lock = threading.RLock()
        self._writing = False
        self._deferred: deque[Callable[[], object]] = deque()
        self._encode = msgspec.msgpack.Encoder().encode
        self._index_broken = False
        self._closed = False
        self._alive = -1
        self._is_own = True
        self._file, self._size = _NONE
        self._number = file_number
        self._try_at = 0.0
        _forget_in_forks(self)

    @classmethod
    def create(
        cls,
        spool: Path,
        *,
        role: str,
        facts: Mapping[str, Any],
        rotate_bytes: int = ROTATE_BYTES,
        patient: bool = False,
    ) -> Self:
        """Start this process's journal under a spool, which is made if it is not there.

        On a full disk it begins with the first record that finds room; those before are lost.

        Args:
            spool: Folder of all journals.
            role: Of the process, a part of the directory's name.
            facts: Plain values that hold nothing secret: they are written as they are.
            rotate_bytes: Size after which the journal goes on in a new file.
            patient: Wait for a spool that can be written whatever is wrong with it.

        Raises `OSError` when the spool cannot be written, unless the disk is only full.
        """
        name = new_name(role)
        header = msgspec.structs.replace(this_process(role, name, _version()), facts=dict(facts))
        writer = cls(spool / name, facts=header, rotate_bytes=rotate_bytes)
        try:
            writer._begin()
        except OSError as trouble:
            if not (patient or trouble.errno in FULL):
                raise
        return writer

    @classmethod
    def reopen(cls, directory: Path) -> Self:
        """Go on with a dead process's journal, in a new file, after its last undamaged record.

        Raises `JournalBusy` while its process is alive, and `OSError` when nothing can be written.
        """
        alive = lock_alive(directory)
        try:
            number = max(journal_files(directory), default=0) + 1
            facts = JournalReader(directory).facts
            next_seq = last_seq(directory) + 1
            writer = cls(directory, facts=facts, file_number=number, next_seq=next_seq)
            writer._is_own = False
            writer._file, writer._size = open_file(directory, number, facts)
        except BaseException:
            os.close(alive)
            raise
        writer._alive = alive
        return writer

    @property
    def position(self) -> Position:
        """Where the next record will start."""
        return Position(self._number, self._size)

    def append(
        self, kind: Kind, body: msgspec.Struct, numbered: dict[str, Any] | None = None
    ) -> int:
        """Write a record and return its sequence number; 0 when the journal is closed.

        It is in the kernel's hands when this returns: only the loss of the machine loses it. But
        one that is made while this very thread writes another, by a destructor or a signal's
        handler, is written right after that; then 0 is returned, for it has no number yet. A
        full disk raises nothing, it counts in `lost`. `numbered` is a dictionary inside of
        `body`: the number is put there, as `loop26.journal.seq`, before the body is encoded.
        """
        with self._lock:
            if self._writing:
                self._encode(body)  # refused here if it cannot be, not in the other's call
                self._deferred.append(partial(self._append, kind, body, numbered))
                return 0
            try:
                return self._append(kind, body, numbered)
            finally:
                while self._deferred:
                    self._deferred.popleft()()

    def close(self) -> None:
        """Close the file and give up the lock; later records are dropped."""
        with self._lock:
            if self._writing:
                self._deferred.append(self._close)
            else:
                self._close()

    def _append(self, kind: Kind, body: msgspec.Struct, numbered: dict[str, Any] | None) -> int:
        if self._closed:
            return 0
        self._writing = True
        try:
            seq = self.next_seq
            if numbered is not None:
                numbered[_JOURNAL_SEQ] = seq
            frame = pack_frame(kind, seq, self._encode(body))
            self.next_seq = seq + 1
            if self._size >= self._rotate_bytes:
                self._rotate()
            elif self._file < 0 and not self._begun_late():
                self.lost += 1
                return seq
            marks = _TASK_BEGIN <= kind <= _PROCESS_END
            written = self._write_mark(kind, body, frame) if marks else self._write(frame)
            if not written and self._is_own:
                slate.write_lost(self._alive, seq)
            if written and self.lost > self._told_lost:
                self._tell_lost()
            return seq
        finally:
            self._writing = False

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._try_at = math.inf
        if self._file >= 0:
            os.close(self._file)
            os.close(self._alive)
            self._file = self._alive = -1

    def _begin(self) -> None:
        self._try_at = time.monotonic() + _TRY_EVERY_S
        self._alive, (self._file, self._size) = open_new(self.directory, self.facts)

    def _begun_late(self) -> bool:
        """Begin at last, if there is room by now."""
        if time.monotonic() >= self._try_at:
            with contextlib.suppress(OSError, JournalBusy):
                self._begin()
        return self._file >= 0

    def _write(self, frame: bytes) -> bool:
        size = len(frame)
        if size > MAX_BODY_BYTES:
            self.lost += 1
            return False
        try:
            written = os.write(self._file, frame)
            self._size += written
            while written < size:
                # A nearly full disk takes a part; the rest fails, as a rule, with its reason.
                more = os.write(self._file, frame[written:])
                self._size += more
                written += more
        except OSError:
            self.lost += 1
            return False
        return True

    def _write_mark(self, kind: Kind, body: Any, frame: bytes) -> bool:
        """Write the begin or end of a task or of the process, of which other files tell, too."""
        # The beginning of a task is indexed before it is written, its end after: an entry too
        # many, or without an end, costs a reader nothing; a missing one would hide the task.
        if kind is _TASK_BEGIN:
            self._index(index.begin_line(body, self.position))
        if not self._write(frame):
            return False
        if kind is _TASK_END:
            self._index(index.end_line(body, self.position))
        elif kind is _PROCESS_END:
            mark_ended(self.directory)
        return True

    def _index(self, line: bytes) -> None:
        if self._index_broken:
            return
        try:
            index.append_line(self.directory, line)
        except OSError:
            # Without an index readers scan the journal: slower, and never wrong.
            self._index_broken = True
            with contextlib.suppress(OSError):
                (self.directory / INDEX).unlink()

    def _rotate(self) -> None:
        try:
            file, size = open_file(self.directory, self._number + 1, self.facts)
        except OSError:
            return  # the present file goes on; the next record tries again
        os.close(self._file)
        self._file, self._size = file, size
        self._number += 1

    def _tell_lost(self) -> None:
        lost = self.lost - self._told_lost
        log = Log(
            at_ns=time.time_ns(),
            severity=_WARN,
            logger="telemetry.journal",
            message=f"{lost} records could not be written: the disk was full or failing",
            trace_id=None,
            span_id=None,
            attributes={"loop26.journal.lost": lost},
        )
        seq = self.next_seq
        self.next_seq = seq + 1
        if self._write(pack_frame(Kind.LOG, seq, self._encode(log))):
            self._told_lost = self.lost

    def _forget(self) -> None:
        """Stop writing in a forked child: the journal, and the lock, are its parent's."""
        # A thread may have held it, this one too, in the middle of a record.
        self._lock = threading.RLock()
        self._writing = False
        self._deferred.clear()
        self._close()


def _forget_in_forks(writer: JournalWriter) -> None:
    reference = weakref.ref(writer)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive._forget()  # noqa: SLF001 - the same module's class

    os.register_at_fork(after_in_child=forget)


def _version() -> str:
    try:
        return metadata.version("loop26")
    except metadata.PackageNotFoundError:
        return ""
