"""The index of a journal by task: a report on one task reads one task.

A line is `[crc32, {…}]`, the checksum being of the object's bytes.
"""

import os
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from telemetry.journal.directory import INDEX, journal_file, journal_files
from telemetry.journal.format import Position
from telemetry.journal.reader import JournalReader
from telemetry.records import Kind, TaskBegin, TaskEnd

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a task: `JournalReader.read(start=first, stop=last)` yields its records.

    `last` is None while the task runs, and for ever when its process died in it: then read to the
    end. `trace_id` is 32 hex digits.
    """

    task_id: str
    attempt: int
    trace_id: str
    first: Position
    last: Position | None = None


class _End(msgspec.Struct, frozen=True, kw_only=True):
    """The line that a task's end adds."""

    task_id: str
    attempt: int
    last: Position


_LINE: Final = msgspec.json.Decoder(tuple[int, msgspec.Raw])
_ENTRY: Final = msgspec.json.Decoder(IndexEntry)
_END: Final = msgspec.json.Decoder(_End)


def begin_line(body: TaskBegin, first: Position) -> bytes:
    """Return the line for a task that begins."""
    entry = IndexEntry(
        task_id=body.task_id, attempt=body.attempt, trace_id=body.trace_id.hex(), first=first
    )
    return _line(entry)


def end_line(body: TaskEnd, last: Position) -> bytes:
    """Return the line for a task that has ended."""
    return _line(_End(task_id=body.task_id, attempt=body.attempt, last=last))


def append_line(directory: Path, line: bytes) -> None:
    """Append a line. Raises `OSError` when it could not be written whole."""
    file = os.open(directory / INDEX, _FLAGS, 0o600)
    try:
        written = os.write(file, line)
    finally:
        os.close(file)
    if written < len(line):
        raise OSError(f"only {written} of {len(line)} bytes were written to the index")


def read_index(directory: Path) -> list[IndexEntry]:
    """Return the attempts in a journal, in order, but for those whose files retention has deleted.

    A missing or damaged index, or one that lacks its last lines, is made up for by reading the
    whole journal. Raises `JournalTooNew` then.
    """
    try:
        entries = _folded((directory / INDEX).read_bytes().splitlines())
    except (OSError, ValueError, msgspec.MsgspecError, KeyError):
        return _scanned(directory)
    if _lacks_tasks(directory, entries):
        return _scanned(directory)
    if journal_file(directory, 1).exists():
        return entries  # retention deletes the oldest first
    oldest = min(journal_files(directory), default=1)
    return [entry for entry in entries if entry.last is None or entry.last.file >= oldest]


def _line(body: msgspec.Struct) -> bytes:
    said = msgspec.json.encode(body)
    return b"[%d,%s]\n" % (crc32(said), said)


def _folded(lines: list[bytes]) -> list[IndexEntry]:
    entries: dict[tuple[str, int], IndexEntry] = {}
    for line in lines:
        checksum, said = _LINE.decode(line)
        if crc32(said) != checksum:
            raise ValueError(f"a line of the index is damaged: {line!r}")
        if b'"first":' in bytes(said):
            entry = _ENTRY.decode(said)
            # Taken out first: an attempt that was given back may come again, and is the newest.
            entries.pop((entry.task_id, entry.attempt), None)
            entries[entry.task_id, entry.attempt] = entry
        else:
            end = _END.decode(said)
            key = (end.task_id, end.attempt)
            entries[key] = msgspec.structs.replace(entries[key], last=end.last)
    return list(entries.values())


def _lacks_tasks(directory: Path, entries: list[IndexEntry]) -> bool:
    """Whether tasks have begun after the last that the index names, as one that was cut shows.

    What follows a task that has ended is little. A task without an end is read to the next in any
    case, by whoever reads it.
    """
    if not entries:
        return True
    last = entries[-1].last
    if last is None or not journal_file(directory, last.file).exists():
        return False
    following = JournalReader(directory).read(start=last)
    return any(record.kind is Kind.TASK_BEGIN for record in following)


def _scanned(directory: Path) -> list[IndexEntry]:
    entries: dict[tuple[str, int], IndexEntry] = {}
    reader = JournalReader(directory)
    before = reader.position
    for record in reader.read():
        if record.kind is Kind.TASK_BEGIN:
            begin: TaskBegin = record.body
            entries.pop((begin.task_id, begin.attempt), None)
            entries[begin.task_id, begin.attempt] = IndexEntry(
                task_id=begin.task_id,
                attempt=begin.attempt,
                trace_id=begin.trace_id.hex(),
                first=before,
            )
        elif record.kind is Kind.TASK_END:
            key = (record.body.task_id, record.body.attempt)
            if key in entries:
                entries[key] = msgspec.structs.replace(entries[key], last=record.end)
        before = record.end
    return list(entries.values())
