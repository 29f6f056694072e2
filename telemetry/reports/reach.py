"""How far the record of an attempt reaches: what a dead process wrote last may be lost."""

from telemetry.records import TaskBegin
from telemetry.reports.attempt import Attempt
from telemetry.reports.endings import Endings
from telemetry.reports.trace import ProcessPart
from telemetry.spans import Span


class Reach:
    """Says when at the latest each span of one attempt was seen.

    Attributes:
        record_ends_ns: When the last record was written of a dead process whose record has no end
            of its task and none of its own; None where each process's record reaches that far.
    """

    def __init__(self, attempt: Attempt, endings: Endings) -> None:
        self._attempt = attempt
        self._endings = endings
        self._ours = {span.span_id for span in attempt.spans}
        self._part = {span.span_id: part for part in attempt.parts for span in part.spans}
        self.record_ends_ns = self._record_end()

    def seen_ns(self, span: Span) -> int:
        """Return when it ended; of one without an end, when its process last wrote in it."""
        if (end_ns := self._endings.end_ns(span)) is not None:
            return end_ns
        part = self._part.get(span.span_id)
        last_ns = self._last_ns(part) if part else span.start_ns
        return max(span.start_ns, min([last_ns, *self._endings.over(span)]))

    def _record_end(self) -> int | None:
        cut = [part for part in self._attempt.parts if tail_missing(part)]
        cut = [part for part in cut if any(map(self._attempt.has_begun_as, _begins(part)))]
        tasks = [part for part in cut if part.facts.role == "task"] or cut
        return max((self._last_ns(part) for part in tasks), default=None)

    def _last_ns(self, part: ProcessPart) -> int:
        """Return when a process wrote the last record of this attempt that was read."""
        spans = [span for span in part.spans if span.span_id in self._ours]
        moments = [span.start_ns for span in spans]
        moments += [event.at_ns for span in spans for event in span.events]
        moments += [span.end_ns for span in spans if span.end_ns and span.closed_by]
        moments += [log.at_ns for log in part.logs if log.span_id in self._ours]
        ours = (error for error in part.errors if error.task_id == self._attempt.task_id)
        moments += [error.at_ns for error in ours]
        for begin, end in part.tasks:
            if self._attempt.has_begun_as(begin):
                moments += [begin.at_ns, *([end.at_ns] if end else [])]
        return max(moments, default=0)


def tail_missing(part: ProcessPart) -> bool:
    """Whether the record of a dead process ends without saying how: what came last is lost."""
    ended = part.end is not None or all(end is not None for _, end in part.tasks)
    return not part.alive and not ended


def _begins(part: ProcessPart) -> list[TaskBegin]:
    return [begin for begin, _ in part.tasks]
