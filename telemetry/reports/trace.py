"""A journey as its journals tell it: one trace, gathered from every process that took part."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from telemetry.errors import JournalTooNew
from telemetry.journal import (
    IndexEntry,
    JournalReader,
    ProcessFacts,
    is_alive,
    process_directories,
    read_index,
)
from telemetry.records import Error, Log, ProcessEnd, TaskBegin, TaskEnd
from telemetry.spans import Folder, Span


class AttemptRead(NamedTuple):
    """What was read of one attempt: how many records, and how many tasks its process had before."""

    task_id: str
    attempt: int
    records: int
    tasks_before: int = 0  # older black boxes do not say


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPart:
    """What one process recorded of a trace.

    Attributes:
        alive: Whether the process lives: then its open spans are at work.
        end: How it ended, where its journal says so and what was read reaches that far.
        gaps: Sequence numbers, first and last, missing from what was read.
        damaged_bytes: Bytes in what was read that are no record.
        read: Of each attempt what was read; () where the source has no records.
    """

    facts: ProcessFacts
    alive: bool
    spans: tuple[Span, ...]
    logs: tuple[Log, ...]
    errors: tuple[Error, ...]
    tasks: tuple[tuple[TaskBegin, TaskEnd | None], ...]
    end: ProcessEnd | None
    gaps: tuple[tuple[int, int], ...]
    damaged_bytes: int
    read: tuple[AttemptRead, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceModel:
    """A trace, open spans included; `processes` in the order in which they started."""

    task_id: str
    trace_id: str
    processes: tuple[ProcessPart, ...]

    @property
    def spans(self) -> list[Span]:
        """All spans, by their start."""
        found = [span for part in self.processes for span in part.spans]
        return sorted(found, key=lambda span: (span.start_ns, span.seq))

    @property
    def errors(self) -> list[Error]:
        """All errors, by time."""
        found = [error for part in self.processes for error in part.errors]
        return sorted(found, key=lambda error: error.at_ns)

    @property
    def logs(self) -> list[Log]:
        """All log records, by time."""
        found = [log for part in self.processes for log in part.logs]
        return sorted(found, key=lambda log: log.at_ns)

    @property
    def task_ids(self) -> list[str]:
        """Ids of the tasks of the journey that were worked on, by their first attempt."""
        begun = [begin for part in self.processes for begin, _ in part.tasks]
        ordered = sorted(begun, key=lambda begin: begin.at_ns)
        return list(dict.fromkeys(begin.task_id for begin in ordered))

    @property
    def begun(self) -> int:
        """How many spans have begun."""
        return sum(len(part.spans) for part in self.processes)

    @property
    def ended(self) -> int:
        """How many of them their own process has ended."""
        return sum(span.closed_by == "end" for part in self.processes for span in part.spans)

    @property
    def missing(self) -> int:
        """How many records are known to be missing; 0 when the record is complete."""
        return sum(last - first + 1 for part in self.processes for first, last in part.gaps)

    @property
    def damaged_bytes(self) -> int:
        """Bytes of the journals that are no record."""
        return sum(part.damaged_bytes for part in self.processes)


class Journals:
    """The journals of a spool, to gather traces from; their indexes are read once."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    def trace(self, task_id: str) -> TraceModel | None:
        """Gather the journey that a task belongs to; None when no journal knows the task.

        Reads the parts of journals that their indexes name, and nothing else; journals of a newer
        version are passed over. Should a task's attempts be in different traces, the newest
        decides.
        """
        attempts = self._attempts.get(task_id)
        if not attempts:
            return None
        trace_id = max(attempts, key=lambda entry: entry.attempt).trace_id
        parts = []
        for directory, entries in self._of_trace[trace_id]:
            # Its index may say more than this one can read; retention may have deleted it since.
            with suppress(JournalTooNew, FileNotFoundError):
                parts.append(_read_part(directory, entries, trace_id))
        return TraceModel(task_id=task_id, trace_id=trace_id, processes=tuple(parts))

    @cached_property
    def _indexes(self) -> list[tuple[Path, list[IndexEntry]]]:
        return list(_indexes(self._spool))

    @cached_property
    def _attempts(self) -> dict[str, list[IndexEntry]]:
        found: dict[str, list[IndexEntry]] = {}
        for _, entries in self._indexes:
            for entry in entries:
                found.setdefault(entry.task_id, []).append(entry)
        return found

    @cached_property
    def _of_trace(self) -> dict[str, list[tuple[Path, list[IndexEntry]]]]:
        """The journals that have something of a trace, with all that is in each."""
        found: dict[str, list[tuple[Path, list[IndexEntry]]]] = {}
        for directory, entries in self._indexes:
            for trace_id in {entry.trace_id for entry in entries}:
                found.setdefault(trace_id, []).append((directory, entries))
        return found


def read_trace(spool: Path, task_id: str) -> TraceModel | None:
    """Gather the journey of one task; see `Journals.trace`."""
    return Journals(spool).trace(task_id)


def otlp_json(model: TraceModel) -> dict[str, Any]:
    """Return a trace as OTLP JSON, as Jaeger's query API gives it: ids in hex.

    Spans that are open have no `endTimeUnixNano`.
    """
    # Loads OpenTelemetry's SDK and protobuf, which the tree has no use for.
    from telemetry.otlp_encoding import trace_json

    found = [trace_json(part.facts, part.spans) for part in model.processes if part.spans]
    return {"resourceSpans": [group for groups in found for group in groups]}


def _indexes(spool: Path) -> Iterator[tuple[Path, list[IndexEntry]]]:
    for directory in process_directories(spool):
        try:
            yield directory, read_index(directory)
        except (FileNotFoundError, JournalTooNew):
            continue  # deleted by retention at this moment, or for a newer loop26 to read


def _read_part(directory: Path, entries: Sequence[IndexEntry], trace_id: str) -> ProcessPart:
    """Read what a process recorded of a trace; `entries` are all of its journal's."""
    # Asked before reading: a process that ends meanwhile shows its end.
    alive = is_alive(directory)
    reader = JournalReader(directory)
    part = _Collected(bytes.fromhex(trace_id))
    before: set[str] = set()
    for entry in entries:
        if entry.trace_id == trace_id:
            part.collect(reader, entry, tasks_before=len(before - {entry.task_id}))
            part.look_before(directory, entry)
        before.add(entry.task_id)
    return ProcessPart(
        facts=reader.facts,
        alive=alive,
        spans=tuple(part.spans),
        logs=tuple(part.logs),
        errors=tuple(part.errors),
        tasks=tuple(part.tasks),
        end=part.end,
        gaps=tuple(sorted({*reader.gaps, *part.lost_begins})),
        damaged_bytes=reader.damaged_bytes,
        read=tuple(part.read),
    )


class _Collected:
    """What one journal's ranges hold of one trace."""

    def __init__(self, trace_id: bytes) -> None:
        self._trace_id = trace_id
        self.spans: list[Span] = []
        self.logs: list[Log] = []
        self.errors: list[Error] = []
        self.tasks: list[tuple[TaskBegin, TaskEnd | None]] = []
        self.end: ProcessEnd | None = None
        self.read: list[AttemptRead] = []
        self.lost_begins: list[tuple[int, int]] = []
        self._first_seq = 0
        self._has_begin = False

    def collect(self, reader: JournalReader, entry: IndexEntry, *, tasks_before: int) -> None:
        """Read the range of one attempt at a task.

        It is folded by itself: what an earlier task left open belongs to that one. Without an end
        it reaches to the end of the journal, or to the next task: its own end was lost.
        """
        folder = Folder()
        count = self._first_seq = 0
        for record in reader.read(start=entry.first, stop=entry.last):
            if isinstance(record.body, TaskBegin) and folder.task is not None:
                break
            count += 1
            self._first_seq = self._first_seq if count > 1 else record.seq
            self.spans += self._ours(folder.feed(record))
        self.spans += self._ours(folder.open_spans)
        self.logs += [log for log in folder.logs if log.trace_id in (self._trace_id, None)]
        self.errors += folder.errors
        self.end = folder.end or self.end
        self.read.append(AttemptRead(entry.task_id, entry.attempt, count, tasks_before))
        self._has_begin = folder.task is not None
        if folder.task is not None:
            self.tasks.append((folder.task, folder.task_end))

    def look_before(self, directory: Path, entry: IndexEntry) -> None:
        """Count what was lost at the begin of a range just read, where it lacks the task's own.

        A reader that is sent to a range does not know which number comes first in it: that follows
        the last before it.
        """
        if self._has_begin or not self._first_seq:
            return
        before = JournalReader(directory).read(stop=entry.first)
        last = max((record.seq for record in before), default=0)
        if last + 1 < self._first_seq:
            self.lost_begins.append((last + 1, self._first_seq - 1))

    def _ours(self, spans: Iterable[Span]) -> list[Span]:
        return [span for span in spans if span.trace_id == self._trace_id]
