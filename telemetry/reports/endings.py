"""How spans ended, read against what their processes recorded after them.

The record of a process that is dead may lack its tail, or have holes: a span without an end is
then neither at work nor cut off by a death, its end is not in the record. Everything that says how
a span ended asks here.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Self

from telemetry import names
from telemetry.records import Status, TaskBegin
from telemetry.reports.attempt import Attempt
from telemetry.reports.trace import ProcessPart, TraceModel
from telemetry.spans import CLOSED_BY_END, Span

_STAGE: Final = names.stage("")
# One after the other under one parent: where the next has begun, the one before has ended.
_IN_TURN: Final = (names.LOOP_ITERATION, names.DENOISE_STEP)
# Whether a span is of the attempt at a task that begins so; None where that is not known.
_Owned = Callable[[Span, TaskBegin], bool | None]


class _Sign(NamedTuple):
    """That a span was open: the number of the record that shows it, and when that was."""

    seq: int
    at_ns: int

    def latest(self, other: "_Sign") -> "_Sign":
        return _Sign(max(self.seq, other.seq), max(self.at_ns, other.at_ns))


_UNSEEN: Final = _Sign(0, 0)


class Endings:
    """Says of each span of one attempt, or of a whole trace, how it ended."""

    def __init__(self, parts: Sequence[ProcessPart], spans: Sequence[Span], owned: _Owned) -> None:
        self._part = {span.span_id: part for part in parts for span in part.spans}
        self._span = {span.span_id: span for span in spans}
        begun: dict[bytes | None, list[Span]] = {}
        for span in spans:
            begun.setdefault(span.parent_id, []).append(span)
        self._siblings = begun
        self._owned = owned
        self._signs = self._last_signs(spans)

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """Return those of the spans of an attempt."""
        return cls(attempt.parts, attempt.spans, lambda _, begin: attempt.has_begun_as(begin))

    @classmethod
    def of_trace(cls, model: TraceModel) -> Self:
        """Return those of all spans of a trace: each is of the attempt that it is under."""
        owners = _Owners(model.spans)
        return cls(model.processes, model.spans, owners.owned)

    def how(self, span: Span) -> str:
        """Say it: "ok", "failed", "cut off" by a death, "open" (at work), "unknown".

        "unknown" is a span whose end is not in the record: its process is dead and left no end,
        or it is known to have gone on after it, or its end may be among records that are missing.
        """
        if span.closed_by == CLOSED_BY_END:
            return "failed" if span.status == Status.ERROR else "ok"
        if self.over(span):
            return "unknown"
        if span.closed_by:
            return "cut off"
        part = self._part.get(span.span_id)
        return "open" if part is not None and part.alive else "unknown"

    def end_ns(self, span: Span) -> int | None:
        """Return when it ended; None where it has not, or its end is not in the record."""
        return None if self.how(span) in ("open", "unknown") else span.end_ns

    def over(self, span: Span) -> list[int]:
        """Return moments by which a span was over, or may have been, without an end in the record.

        Of one whose end may be among missing records, and of which nothing else is known, it is
        when it was last seen to be open.
        """
        known = [*self._known_over(span)]
        return known or ([self._signs[span.span_id].at_ns] if self._may_be_lost(span) else [])

    def _known_over(self, span: Span) -> Iterator[int]:
        part = self._part.get(span.span_id)
        for begin, end in part.tasks if part else ():
            owned = self._owned(span, begin)
            if owned:
                yield from [end.at_ns] if end else []
            elif owned is not None and begin.at_ns > span.start_ns:
                yield begin.at_ns
        yield from self._around_ended(span, part)
        if part is None or part.gaps or part.damaged_bytes:
            yield from self._followed(span)

    def _last_signs(self, spans: Sequence[Span]) -> dict[bytes, "_Sign"]:
        """Return when each span was last seen to be open: when the last span within it was.

        The newest come first, so that each hands to the one around it what is within.
        """
        signs: dict[bytes, _Sign] = {}
        for span in sorted(spans, key=lambda span: -span.seq):
            sign = _Sign(span.seq, span.start_ns).latest(signs.get(span.span_id, _UNSEEN))
            signs[span.span_id] = sign
            around = self._span.get(span.parent_id or b"")
            if around and self._part.get(around.span_id) is self._part.get(span.span_id):
                ended = span.end_ns if span.closed_by == CLOSED_BY_END and span.end_ns else 0
                within = sign.latest(_Sign(0, ended))
                signs[around.span_id] = within.latest(signs.get(around.span_id, _UNSEEN))
        return signs

    def _may_be_lost(self, span: Span) -> bool:
        """Whether records are missing that came after the span was last seen to be open."""
        part, sign = self._part.get(span.span_id), self._signs.get(span.span_id)
        if part is None or sign is None or span.closed_by == CLOSED_BY_END:
            return False
        return any(first > sign.seq for first, _ in part.gaps)

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


class _Owners:
    """Finds of which attempt each span of a trace is: by the process span that it is under."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._found: dict[bytes, tuple[str, int] | None] = {}
        self._span = {span.span_id: span for span in spans}

    def owned(self, span: Span, begin: TaskBegin) -> bool | None:
        """Whether a span is of the attempt that begins so; None of one that is under none."""
        owner = self._owner(span)
        return None if owner is None else owner == (begin.task_id, begin.attempt)

    def _owner(self, span: Span) -> tuple[str, int] | None:
        """Return the task and the attempt at it; what is passed on the way up is remembered."""
        passed: list[bytes] = []
        seen: set[bytes] = set()
        above: Span | None = span
        owner = None
        while above is not None and above.span_id not in seen:
            if above.span_id in self._found:
                owner = self._found[above.span_id]
                break
            seen.add(above.span_id)
            passed.append(above.span_id)
            if (owner := _attempt_of(above)) is not None:
                break
            above = self._span.get(above.parent_id or b"")
        self._found.update(dict.fromkeys(passed, owner))
        return owner


def _attempt_of(span: Span) -> tuple[str, int] | None:
    """Return of which attempt a process span is, as its attributes have it."""
    task, attempt = (span.attributes.get(name) for name in (names.TASK_ID, names.TASK_ATTEMPT))
    is_process = span.name.startswith(names.process(""))
    if is_process and isinstance(task, str) and isinstance(attempt, int):
        return task, attempt
    return None
