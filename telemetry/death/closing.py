"""The last records of a dead process's journal, which its death kept it from writing."""

import contextlib
import errno
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from telemetry import stacks
from telemetry.death.ends import HANG, LOST, STOPPED, from_returncode, is_orderly, with_last_words
from telemetry.death.place import STOPPED_AT, Place, others, place_of
from telemetry.journal import JournalReader, JournalWriter, Position, read_index, slate
from telemetry.journal.directory import ALIVE
from telemetry.journal.reader import drop_torn
from telemetry.recorder.capture import fingerprint, own_place
from telemetry.recorder.own_code import OwnCode
from telemetry.recorder.suspects import cause
from telemetry.records import Error, ExceptionFacts, Kind, ProcessEnd, SpanUpdate
from telemetry.spans import Folder

DEATH: Final = "death"
_RAISED_BEFORE: Final = "raised right before"
_NOTED_CHARACTERS: Final = 100  # of a message; four bytes each find room on the slate


class _Noted(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What stands on the slate of a journal whose end could not be written."""

    event_id: str
    end: ProcessEnd
    told: bool


_decode_noted: Final = msgspec.msgpack.Decoder(_Noted).decode


class Closing:
    """The end of one dead process's journal: what is to be written, tried until it is.

    Made, it has read the journal and knows; writing changes nothing of what it knows. It raises
    `JournalTooNew` and `OSError` when the journal cannot be read.

    Args:
        directory: The process's journal.
        end: How it died; of a process that nobody saw die, its stacks may say more.
        last_words: What it wrote last to its stdout and stderr, redacted.
        updates: Attributes to add to open spans, by the span's id.
        told: Whether another journal has the error of this death.

    Attributes:
        error: What the death did to the task in hand: what a supervisor settles the task with. Of
            a journal that has its end already, or its error, it is that error.
    """

    def __init__(
        self,
        directory: Path,
        end: ProcessEnd,
        *,
        last_words: Sequence[str] = (),
        updates: Mapping[bytes, Mapping[str, Any]] | None = None,
        told: bool = False,
    ) -> None:
        self._reader = JournalReader(directory)
        self._folder = folder = Folder(keep_logs=False)
        self._read(_start(directory))
        noted = _noted(directory)
        left = stacks.read(directory)
        end = noted.end if noted and end.kind == LOST else end
        self.directory = directory
        self._raised = folder.leaving
        self._end = with_last_words(_as_known(folder.end or end, left), last_words)
        self._updates = updates or {}
        self._told = told or (noted is not None and noted.told)
        self._is_closed = folder.end is not None
        own = OwnCode.of(self._reader.facts.facts)
        place = place_of(self._end, folder, left, last_words, own)
        event_id = noted.event_id if noted else uuid.uuid4().hex
        self.error = _written(folder) or _error(event_id, self._end, folder, place)
        cut_off = bool(self.error.task_id or folder.open_spans)
        self._is_news = self._end.kind != STOPPED and (cut_off or not is_orderly(self._end))

    def write(self) -> None:
        """Write it, unless somebody has; the error is journalled where the death cut something off.

        Raises `JournalBusy` while the process is alive, and `OSError` when the disk takes no more:
        then it is still to do, by this or, as far as it can be noted, by the next supervisor.
        """
        if self._is_closed:
            return
        try:
            with contextlib.closing(JournalWriter.reopen(self.directory)) as writer:
                # Nobody else can write now; somebody may have, just before.
                self._read()
                written = _written(self._folder)
                self.error = written or self.error
                if self._folder.end is None:
                    self._append(writer, is_told=self._told or written is not None)
        except OSError:
            self._note()
            raise

    def _read(self, start: Position | None = None) -> None:
        for record in self._reader.read(start=start):
            self._folder.feed(record)

    def _append(self, writer: JournalWriter, *, is_told: bool) -> None:
        for span_id, attributes in self._updates.items():
            update = SpanUpdate(span_id=span_id, attributes=dict(attributes))
            _append(writer, Kind.SPAN_UPDATE, update)
        if self._is_news and not is_told:
            if self._raised is not None:  # no boundary has come to tell of it
                raised = msgspec.structs.replace(self._raised, handled=True)
                _append(writer, Kind.ERROR, raised)
            _append(writer, Kind.ERROR, self.error)
        _append(writer, Kind.PROCESS_END, self._end)

    def _note(self) -> None:
        """Leave what the next supervisor cannot know, where that takes no more of the disk."""
        end = msgspec.structs.replace(
            self._end, message=self._end.message[:_NOTED_CHARACTERS], attributes={}
        )
        noted = _Noted(event_id=self.error.event_id, end=end, told=self._told)
        with contextlib.suppress(OSError):
            file = os.open(self.directory / ALIVE, os.O_WRONLY | os.O_CLOEXEC)
            try:
                slate.write(file, slate.DEATH, msgspec.msgpack.encode(noted))
            finally:
                os.close(file)


def close_dead(directory: Path, end: ProcessEnd, **told: Any) -> Error:
    """Write the end of a dead process's journal now; return its error, journalled or not.

    The arguments are those of `Closing`; it raises what `Closing` and `Closing.write` do.
    """
    closing = Closing(directory, end, **told)
    closing.write()
    return closing.error


def _append(writer: JournalWriter, kind: Kind, body: msgspec.Struct) -> None:
    writer.append(kind, body)
    if writer.lost:  # what comes after it may be shorter, and find room
        drop_torn(writer.directory)
        raise OSError(errno.ENOSPC, "the end of a process is not written", str(writer.directory))


def _noted(directory: Path) -> _Noted | None:
    words = slate.read(directory / ALIVE, slate.DEATH)
    try:
        return _decode_noted(words) if words else None
    except (msgspec.MsgspecError, ValueError):
        return None


def _start(directory: Path) -> Position | None:
    """Return where the newest task of a journal begins: what lies before is of no matter."""
    entries = read_index(directory)
    return entries[-1].first if entries else None


def _written(folder: Folder) -> Error | None:
    """Return the error of the process's death that its journal has."""
    found = [error for error in folder.errors if error.kind in (DEATH, HANG)]
    return found[-1] if found else None


def _as_known(end: ProcessEnd, left: Sequence[stacks.Dump]) -> ProcessEnd:
    """Return an end as its process's stacks tell it, where nobody saw it."""
    if end.kind == LOST and left and (returncode := left[-1].returncode) is not None:
        return from_returncode(returncode, at_ns=end.at_ns)
    return end


def _error(event_id: str, end: ProcessEnd, folder: Folder, place: Place) -> Error:
    """Say what a death did to the task in hand.

    The loop position is that of the newest iteration, open or ended; 0 of 0 where there was none.
    """
    task = folder.task_in_hand
    stopped = place.known_as == STOPPED_AT
    chain = [ExceptionFacts(type=end.kind, module="", message=end.message, frames=place.frames)]
    loop_index, loop_count = folder.iteration if task else (0, 0)
    trace_id = task.trace_id if task else None
    return Error(
        event_id=event_id,
        at_ns=end.at_ns,
        kind=HANG if end.kind == HANG else DEATH,
        chain=chain if stopped else [],
        type=end.kind,
        message=end.message,
        file=place.innermost.file,
        line=place.innermost.line,
        function=place.innermost.function,
        place=place.known_as,
        stage=place.stage,
        loop_index=loop_index,
        loop_count=loop_count,
        fingerprint=fingerprint(end.kind, place.frames, place.stage),
        trace_id=place.span.trace_id if place.span else trace_id,
        span_id=place.span.span_id if place.span else None,
        task_id=task.task_id if task else "",
        context=_context(end, folder, place),
        **own_place(place.frames),
    )


def _context(end: ProcessEnd, folder: Folder, place: Place) -> dict[str, Any]:
    said = {name: value for name, value in end.attributes.items() if name != "last_words"}
    open_spans = folder.open_spans or folder.left_open
    context = {
        "death": {"kind": end.kind, "signal": end.signal, "exit_code": end.exit_code, **said},
        "open_spans": [span.name for span in open_spans],
        "last_words": end.attributes.get("last_words"),
        "caused_by": cause(folder.leaving, _RAISED_BEFORE) if folder.leaving else None,
        "threads": others(place),
        "frames_left_out": place.thread is not None and place.thread.cut,
    }
    return {name: value for name, value in context.items() if value or name == "open_spans"}
