"""One attempt at a task, taken out of the trace of its whole journey."""

from collections.abc import Iterable
from functools import cached_property
from typing import Final, Self

from telemetry import names
from telemetry.records import Error, TaskBegin
from telemetry.reports.case import TaskRow
from telemetry.reports.trace import ProcessPart, TraceModel
from telemetry.spans import Span

WELL: Final = ("Complete", "Cancelled")  # what a task's status is that did not fail

_PROCESS: Final = names.process("")


class Attempt:
    """The attempt at a task that its row tells of: its spans, and the error that it ended with.

    What is recorded of an earlier attempt is none of it. Its spans are those under its `process`
    span. That may be lost, or be in a journal that is: then the queue's row still names it, and
    what was under it is found by that.
    """

    def __init__(self, model: TraceModel, task: TaskRow) -> None:
        self._model = model
        self._task = task
        self.task_id = task.id

    @classmethod
    def of(cls, model: TraceModel | None, task: TaskRow) -> Self | None:
        """Return the attempt that a row tells of; None where nothing is recorded of it."""
        attempt = None if model is None else cls(model, task)
        if attempt is None or not (attempt.spans or attempt.error or attempt.begin):
            return None
        return attempt

    @cached_property
    def root(self) -> Span | None:
        """The attempt's `process` span, where the record has it.

        An attempt that was given back leaves its number to the next one: the row names the span.
        """
        ours = [
            span
            for span in self._model.spans
            if span.name.startswith(_PROCESS)
            and span.attributes.get(names.TASK_ID) == self._task.id
            and not self._is_earlier(_attempt_of(span))
            and self._named_span in (None, span.span_id)
        ]
        return max(ours, key=lambda span: (_attempt_of(span) or 0, span.start_ns), default=None)

    @cached_property
    def spans(self) -> list[Span]:
        """All spans of the attempt, by their start.

        What it spawned is none of it, though the children's process spans are under its own. No
        id is there twice, and none is its own ancestor.
        """
        children: dict[bytes | None, list[Span]] = {}
        for span in self._model.spans:
            children.setdefault(span.parent_id, []).append(span)
        top = self.root.span_id if self.root else self._named_span
        found = [self.root] if self.root else []
        waiting = [top] if top else []
        seen = set(waiting)  # a stranger's span may be its own ancestor
        while waiting:
            for span in children.get(waiting.pop(), []):
                if not span.name.startswith(_PROCESS) and span.span_id not in seen:
                    seen.add(span.span_id)
                    found.append(span)
                    waiting.append(span.span_id)
        return sorted(found, key=lambda span: (span.start_ns, span.seq))

    @cached_property
    def error(self) -> Error | None:
        """What it failed with: the error that the row names; None where it went well.

        Where the row names none, or its source keeps no ids, it is the newest of this attempt that
        nobody handled: an earlier one may have failed, too, and in another way.
        """
        if self._task.status in WELL:
            return None
        ours = [error for error in self._model.errors if error.task_id == self._task.id]
        named = self._task.error.get("event_id")
        if named and any(error.event_id for error in ours):
            return next((error for error in ours if error.event_id == named), None)
        unhandled = [error for error in ours if not error.handled and self._has(error)]
        return next(reversed(unhandled), None)

    @cached_property
    def begin(self) -> TaskBegin | None:
        """Its begin in a task process, which holds the task's params."""
        ours = (begin for begin in self._begins() if not self._is_earlier(begin.attempt))
        return max(ours, key=lambda begin: begin.attempt, default=None)

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
        """How many tasks its process had had before; None where the source does not know."""
        begin = self.begin
        for part in reversed(self._model.processes):
            for read in part.read if part.facts.role == "task" else ():
                if begin and (read.task_id, read.attempt) == (begin.task_id, begin.attempt):
                    return read.tasks_before
        return None

    def has_begun_as(self, begin: TaskBegin) -> bool:
        """Whether a task's begin is that of this attempt, in whichever of its processes."""
        own = self.begin
        return begin.task_id == self.task_id and (own is None or begin.attempt == own.attempt)

    def named(self, name: str) -> list[Span]:
        """Return the attempt's spans of a name, by their start."""
        return [span for span in self.spans if span.name == name]

    def _begins(self) -> Iterable[TaskBegin]:
        for part in self._model.processes:
            if part.facts.role == "task":
                yield from (begin for begin, _ in part.tasks if begin.task_id == self._task.id)

    def _has(self, error: Error) -> bool:
        """Whether an error is of this attempt: by its span; without one, by its time."""
        own = {self._named_span, *(span.span_id for span in self.spans)} - {None}
        if error.span_id in own:
            return True
        if any(span.span_id == error.span_id for span in self._model.spans):
            return False
        begun = [self.begin.at_ns] if self.begin else []
        begun += [span.start_ns for span in self.spans[:1]]
        # Of an attempt that nothing else is recorded of: it must be the only one.
        return error.at_ns >= min(begun) if begun else self._task.attempt <= 1

    def _is_earlier(self, number: int | None) -> bool:
        """Whether an attempt is one before that of the row; without a number it may be this one."""
        return number is not None and number < self._task.attempt

    @cached_property
    def _named_span(self) -> bytes | None:
        """The id of its `process` span, as the row has it."""
        return bytes.fromhex(self._task.span_id) or None


def _attempt_of(span: Span) -> int | None:
    attempt = span.attributes.get(names.TASK_ATTEMPT)
    return attempt if isinstance(attempt, int) else None
