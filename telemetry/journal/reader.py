"""The reader of a journal: of a live process or a dead one, undamaged or not."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from telemetry.errors import JournalTooNew
from telemetry.journal import slate
from telemetry.journal.directory import ALIVE, facts_of_name, journal_files
from telemetry.journal.format import (
    VERSION,
    Frame,
    Header,
    JournalRecord,
    Position,
    ProcessFacts,
    read_header,
    scan,
)
from telemetry.records import RECORD_TYPES, Kind

_DECODERS: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    int(kind): msgspec.msgpack.Decoder(body) for kind, body in RECORD_TYPES.items()
}
_KINDS: Final = {int(kind): kind for kind in Kind}


class JournalReader:
    """Reads the records of one directory in order, and follows them as they are written.

    Raises `JournalTooNew`, when made or while reading, for a file of a newer format version, and
    nothing for damage: it goes on at the next undamaged record.

    Attributes:
        facts: Who wrote the journal.
        position: The end of the last record that was handed out.
        gaps: Sequence numbers, first and last, that are missing between records that were read;
            what stood before the oldest file that retention has left is none.
        damaged_bytes: Bytes that were no record, with records after them.
        tail_bytes: Bytes after the last record: being written, or torn when the process is dead.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.gaps: list[tuple[int, int]] = []
        self.damaged_bytes = 0
        self.tail_bytes = 0
        self.position = Position(0, 0)
        self._expected: int | None = 1
        self.facts = self._read_facts()

    def read(
        self, *, start: Position | None = None, stop: Position | None = None
    ) -> Iterator[JournalRecord]:
        """Yield the records that are complete now, from where the last call stood.

        Args:
            start: The end of a record, to go on there instead of where the last call stood.
            stop: The end of the last record to yield.
        """
        if start is not None:
            self.position = start
            self._expected = None if start > Position(1, 0) else 1
        while True:
            # Listed before it is read: a writer that rotates meanwhile has filled this file.
            files = journal_files(self.directory)
            number = next((n for n in files if n >= self.position.file), None)
            if number is None:
                return
            if number > 1 and self.position <= (1, 0):
                self._expected = None  # retention has deleted the oldest files of a long life
            yield from self._read_file(number, files[number], stop)
            following = next((n for n in files if n > number), None)
            if following is None or (stop is not None and stop.file <= number):
                return
            self.damaged_bytes += self.tail_bytes
            self.tail_bytes = 0
            self.position = Position(following, 0)

    def _read_file(self, number: int, path: Path, stop: Position | None) -> Iterator[JournalRecord]:
        with path.open("rb") as file:
            offset = self.position.offset if self.position.file == number else 0
            if offset == 0:
                header = read_header(file)
                _refuse_newer(path, header)
                offset = header.size
            for part in scan(file, offset):
                if stop is not None and Position(number, part.end) > stop:
                    return
                offset = part.end
                if isinstance(part, Frame):
                    self.position = Position(number, offset)
                    yield from self._record(part)
                else:
                    self.damaged_bytes += part.end - part.start
            self.tail_bytes = file.seek(0, 2) - offset

    def _record(self, frame: Frame) -> Iterator[JournalRecord]:
        if self._expected is not None and frame.seq > self._expected:
            self.gaps.append((self._expected, frame.seq - 1))
        self._expected = frame.seq + 1
        decoder = _DECODERS.get(frame.kind)
        if decoder is None:
            return  # of a newer minor version, which may add kinds
        try:
            body = decoder.decode(frame.body)
        except (msgspec.MsgspecError, RecursionError):  # of values nested too deep, too
            self.damaged_bytes += frame.end - frame.start
            self.gaps.append((frame.seq, frame.seq))
            return
        yield JournalRecord(frame.seq, _KINDS[frame.kind], body, self.position)

    def _read_facts(self) -> ProcessFacts:
        for path in journal_files(self.directory).values():
            with path.open("rb") as file:
                header = read_header(file)
            _refuse_newer(path, header)
            if header.facts is not None:
                return header.facts
        return facts_of_name(self.directory)


def last_seq(directory: Path) -> int:
    """Return the number of a journal's last record, be it whole, torn or lost; 0 without any."""
    last = torn = 0
    for path in reversed(journal_files(directory).values()):
        last, end = _last_whole(path)
        torn += 0 < end < path.stat().st_size
        if last:
            break
    return max(last + torn, slate.read_lost(directory / ALIVE))


def drop_torn(directory: Path) -> None:
    """Take a torn record off the end of a journal's newest file, for whoever has just torn it.

    A file that then holds no record is deleted: it takes room that the next try may need.
    """
    for path in list(journal_files(directory).values())[-1:]:
        last, end = _last_whole(path)
        if last:
            os.truncate(path, end)
        else:
            path.unlink()


def _last_whole(path: Path) -> tuple[int, int]:
    """Return the number and the end of a file's last whole record; the header's end without any."""
    with path.open("rb") as file:
        last, end = 0, read_header(file).size
        for part in scan(file, end):
            end = part.end
            last = max(last, part.seq) if isinstance(part, Frame) else last
    return last, end


def _refuse_newer(path: Path, header: Header) -> None:
    if header.version > VERSION:
        raise JournalTooNew(path, header.version, VERSION)
