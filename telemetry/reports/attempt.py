"""One attempt at a task, taken out of the trace of its whole journey."""

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from telemetry import names
from telemetry.records import Error, TaskBegin
from telemetry.reports.case import TaskRow
from telemetry.reports.trace import ProcessPart, TraceModel
from telemetry.spans import Span

_PROCESS: Final = names.process("")


class Attempt:
    """The newest attempt at a task: its spans, and the error that it ended with.

    Its spans are those under its `process` span. That may be lost, or be in a journal that is:
    then the queue's row still names it, and what was under it is found by that.
    """

    def __init__(self, model: TraceModel, task: TaskRow) -> None:
        self._model = model
        self._task = task
        self.task_id = task.id

    @cached_property
    def root(self) -> Span | None:
        """The attempt's `process` span, where the record has it."""
        ours = [
            span
            for span in self._model.spans
            if span.name.startswith(_PROCESS)
            and span.attributes.get(names.TASK_ID) == self._task.id
        ]
        return max(ours, key=_attempt_of, default=None)

    @cached_property
    def spans(self) -> list[Span]:
        """All spans of the attempt, by their start.

        What it spawned is none of it, though the children's process spans are under its own.
        """
        children: dict[bytes | None, list[Span]] = {}
        for span in self._model.spans:
            children.setdefault(span.parent_id, []).append(span)
        top = self.root.span_id if self.root else bytes.fromhex(self._task.span_id)
        found = [self.root] if self.root else []
        waiting = [top]
        while waiting:
            for span in children.get(waiting.pop(), []):
                if not span.name.startswith(_PROCESS):
                    found.append(span)
                    waiting.append(span.span_id)
        return sorted(found, key=lambda span: (span.start_ns, span.seq))

    @cached_property
    def error(self) -> Error | None:
        """The error that the row names; else the newest of the task that nobody handled."""
        ours = [error for error in self._model.errors if error.task_id == self._task.id]
        named = [one for one in ours if one.event_id == self._task.error.get("event_id")]
        unhandled = [one for one in ours if not one.handled]
        return next(reversed(named or unhandled), None)

    @cached_property
    def begin(self) -> TaskBegin | None:
        """The newest begin of the task in a task process, which holds its params."""
        return max(self._begins(), key=lambda begin: begin.attempt, default=None)

    @cached_property
    def parts(self) -> list[ProcessPart]:
        """What each process recorded that took part in the task."""
        return [
            part
            for part in self._model.processes
            if any(begin.task_id == self._task.id for begin, _ in part.tasks)
        ]

    @cached_property
    def iterations(self) -> list[Span]:
        """The iterations of its parameter loop, begun or ended."""
        return self.named(names.LOOP_ITERATION)

    @cached_property
    def tasks_before(self) -> int | None:
        """How many tasks of this trace its process had run before; None where it is not known."""
        for part in reversed(self._model.processes):
            if part.facts.role == "task":
                ids = [begin.task_id for begin, _ in part.tasks]
                if self._task.id in ids:
                    return ids.index(self._task.id)
        return None

    def named(self, name: str) -> list[Span]:
        """Return the attempt's spans of a name, by their start."""
        return [span for span in self.spans if span.name == name]

    def _begins(self) -> Iterable[TaskBegin]:
        for part in self._model.processes:
            if part.facts.role == "task":
                yield from (begin for begin, _ in part.tasks if begin.task_id == self._task.id)


def _attempt_of(span: Span) -> int:
    attempt = span.attributes.get(names.TASK_ATTEMPT)
    return attempt if isinstance(attempt, int) else 0
