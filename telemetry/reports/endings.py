"""How an attempt's spans ended, read against what their processes recorded after them.

The record of a process that is dead may lack its tail, or have holes: a span without an end is
then neither at work nor cut off by a death, its end is not in the record.
"""

from collections.abc import Iterator
from typing import Final

from telemetry import names
from telemetry.records import Status, TaskBegin
from telemetry.reports.attempt import Attempt
from telemetry.reports.trace import ProcessPart
from telemetry.spans import CLOSED_BY_END, Span

_STAGE: Final = names.stage("")
# One after the other under one parent: where the next has begun, the one before has ended.
_IN_TURN: Final = (names.LOOP_ITERATION, names.DENOISE_STEP)


class Endings:
    """Says of each span of one attempt how it ended, and when at the latest it was seen.

    Attributes:
        record_ends_ns: When the last record was written of a dead process whose record has no end
            of its task and none of its own; None where each process's record reaches that far.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._part = {span.span_id: part for part in attempt.parts for span in part.spans}
        self._span = {span.span_id: span for span in attempt.spans}
        begun: dict[bytes | None, list[Span]] = {}
        for span in attempt.spans:
            begun.setdefault(span.parent_id, []).append(span)
        self._siblings = begun
        self.record_ends_ns = self._record_end()

    def how(self, span: Span) -> str:
        """Say it: "ok", "failed", "cut off" by a death, "open" (at work), "unknown".

        "unknown" is a span whose end is not in the record: its process is dead and left no end,
        or it is known to have gone on after it.
        """
        if span.closed_by == CLOSED_BY_END:
            return "failed" if span.status == Status.ERROR else "ok"
        if next(self._over(span), None) is not None:
            return "unknown"
        if span.closed_by:
            return "cut off"
        part = self._part.get(span.span_id)
        return "open" if part is not None and part.alive else "unknown"

    def end_ns(self, span: Span) -> int | None:
        """Return when it ended; None where it has not, or its end is not in the record."""
        return None if self.how(span) in ("open", "unknown") else span.end_ns

    def seen_ns(self, span: Span) -> int:
        """Return when it ended; of one without an end, when its process last wrote in it."""
        if (end_ns := self.end_ns(span)) is not None:
            return end_ns
        part = self._part.get(span.span_id)
        last_ns = self._last_ns(part) if part else span.start_ns
        return max(span.start_ns, min([last_ns, *self._over(span)]))

    def _over(self, span: Span) -> Iterator[int]:
        """Yield moments by which a span was over, though its end is not in the record."""
        part = self._part.get(span.span_id)
        for begin, end in part.tasks if part else ():
            if self._is_ours(begin):
                yield from [end.at_ns] if end else []
            elif begin.at_ns > span.start_ns:
                yield begin.at_ns
        yield from self._around_ended(span, part)
        if part is None or part.gaps or part.damaged_bytes:
            yield from self._followed(span)

    def _is_ours(self, begin: TaskBegin) -> bool:
        own = self._attempt.begin
        numbers = {begin.attempt} if own is None else {own.attempt}
        return begin.task_id == self._attempt.task_id and begin.attempt in numbers

    def _around_ended(self, span: Span, part: ProcessPart | None) -> Iterator[int]:
        """Yield when the spans around it ended by their process, which is its own."""
        seen = {span.span_id}
        parent = self._span.get(span.parent_id or b"")
        while parent is not None and parent.span_id not in seen:
            seen.add(parent.span_id)
            if self._part.get(parent.span_id) is not part:
                return
            if parent.closed_by == CLOSED_BY_END and parent.end_ns is not None:
                yield parent.end_ns
            parent = self._span.get(parent.parent_id or b"")

    def _followed(self, span: Span) -> Iterator[int]:
        """Yield when the next of its kind began, of those of which one follows the other."""
        for other in self._siblings.get(span.parent_id, []):
            in_turn = (other.name.startswith(_STAGE) and span.name.startswith(_STAGE)) or (
                other.name == span.name and span.name in _IN_TURN
            )
            if in_turn and other.start_ns > span.start_ns:
                yield other.start_ns

    def _record_end(self) -> int | None:
        cut = [part for part in self._attempt.parts if tail_missing(part)]
        cut = [part for part in cut if any(self._is_ours(begin) for begin, _ in part.tasks)]
        tasks = [part for part in cut if part.facts.role == "task"] or cut
        return max((self._last_ns(part) for part in tasks), default=None)

    def _last_ns(self, part: ProcessPart) -> int:
        """Return when a process wrote the last record of this attempt that was read."""
        spans = [span for span in part.spans if span.span_id in self._span]
        moments = [span.start_ns for span in spans]
        moments += [event.at_ns for span in spans for event in span.events]
        moments += [span.end_ns for span in spans if span.end_ns and span.closed_by]
        moments += [log.at_ns for log in part.logs if log.span_id in self._span]
        ours = (error for error in part.errors if error.task_id == self._attempt.task_id)
        moments += [error.at_ns for error in ours]
        for begin, end in part.tasks:
            if self._is_ours(begin):
                moments += [begin.at_ns, *([end.at_ns] if end else [])]
        return max(moments, default=0)


def tail_missing(part: ProcessPart) -> bool:
    """Whether the record of a dead process ends without saying how: what came last is lost."""
    ended = part.end is not None or all(end is not None for _, end in part.tasks)
    return not part.alive and not ended
