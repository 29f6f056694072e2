"""What spans around a span tell of it: the attempt, the stage and the iteration that it is in."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from telemetry import names
from telemetry.spans import Span

_PROCESS: Final = names.process("")
_SETTLE: Final = names.settle("")


class Lineage:
    """The spans of a trace by their parents. A parent may be missing, or a span its own ancestor.

    Args:
        parts: The spans of each process.
    """

    def __init__(self, parts: Iterable[Iterable[Span]]) -> None:
        self._spans: dict[bytes, Span] = {}
        self._part_of: dict[bytes, int] = {}
        for number, part in enumerate(parts):
            for span in part:
                self._spans[span.span_id] = span
                self._part_of[span.span_id] = number
        self._attempts: dict[bytes, Span | None] = {}

    @cached_property
    def attempts(self) -> list[Span]:
        """The `process` spans, by their start."""
        found = [span for span in self._spans.values() if is_attempt(span)]
        return sorted(found, key=lambda span: span.start_ns)

    def attempt(self, span: Span) -> Span | None:
        """Return the `process` span that a span is in, itself perhaps; None where it is missing."""
        passed: list[bytes] = []
        found = None
        for one in self.upwards(span):
            if one.span_id in self._attempts:
                found = self._attempts[one.span_id]
                break
            passed.append(one.span_id)
            if is_attempt(one):
                found = one
                break
        self._attempts.update(dict.fromkeys(passed, found))
        return found

    def upwards(self, span: Span | None) -> Iterator[Span]:
        """Yield a span and its ancestors, as far as they are there."""
        seen: set[bytes] = set()
        while span is not None and span.span_id not in seen:
            seen.add(span.span_id)
            yield span
            span = self._spans.get(span.parent_id or b"")

    def within_process(self, span: Span) -> list[Span]:
        """Return a span and its ancestors of the same process, up to the attempt's."""
        found = []
        for one in self.upwards(span):
            if self._part_of[one.span_id] != self._part_of[span.span_id] or is_attempt(one):
                break
            found.append(one)
        return found

    def task_id(self, span: Span) -> str:
        """Return the id of the task that a span is of, "" where no span says it."""
        attempt = self.attempt(span)
        return str(attempt.attributes[names.TASK_ID]) if attempt else ""

    def stage(self, span: Span) -> str:
        """Return the innermost stage around a span."""
        stages = (one.attributes.get(names.STAGE_NAME) for one in self.within_process(span))
        return str(next(filter(None, stages), ""))

    def iteration(self, span: Span, at_ns: int) -> tuple[int, int]:
        """Return index and count of the newest loop iteration that its attempt had begun then."""
        attempt = self.attempt(span)
        begun = self._iterations.get(attempt.span_id, []) if attempt else []
        before = [one for one in begun if one.start_ns <= at_ns]
        if not before:
            return 0, 0
        newest = max(before, key=lambda one: one.start_ns).attributes
        return _whole(newest.get(names.LOOP_INDEX)), _whole(newest.get(names.LOOP_COUNT))

    def outcome(self, span: Span) -> str | None:
        """Return the outcome of the attempt that a span is in; None where it is not told."""
        attempt = self.attempt(span)
        return self._outcomes.get(attempt.span_id) if attempt else None

    @cached_property
    def _iterations(self) -> dict[bytes, list[Span]]:
        found: dict[bytes, list[Span]] = {}
        for span in self._spans.values():
            attempt = self.attempt(span) if span.name == names.LOOP_ITERATION else None
            if attempt is not None:
                found.setdefault(attempt.span_id, []).append(span)
        return found

    @cached_property
    def _outcomes(self) -> dict[bytes, str]:
        return {
            span.parent_id or b"": str(span.attributes[names.TASK_OUTCOME])
            for span in self._spans.values()
            if span.name.startswith(_SETTLE) and names.TASK_OUTCOME in span.attributes
        }


def is_attempt(span: Span) -> bool:
    """Whether a span is of an attempt at a task: its `process` span."""
    return span.name.startswith(_PROCESS) and names.TASK_ID in span.attributes


def _whole(value: Any) -> int:
    return value if type(value) is int else 0
