"""What journals tell of tasks, measured: each span that has ended, once, whoever died meanwhile."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.trace import SpanKind

from telemetry import names
from telemetry.death.closing import DEATH
from telemetry.journal import JournalRecord, ProcessFacts
from telemetry.metrics.meters import Measured
from telemetry.records import ProcessEnd, Status
from telemetry.shipper.delivery import Answer, Verdict, encoding
from telemetry.shipper.follower import Select
from telemetry.spans import Folder, Span

# A metric is of now: what a journal kept for longer, before there was a collector, is history.
OLDEST_S: Final = 3600.0
_NS: Final = 1_000_000_000
_TASK_ROLE: Final = "task"
_CLIENTS: Final = frozenset({SpanKind.CLIENT.value, SpanKind.PRODUCER.value})


class Ended(NamedTuple):
    """A span that has ended, with what its journal had said until then of its task."""

    span: Span
    task_type: str
    failure_kind: str


class Gone(NamedTuple):
    """A process that has ended."""

    end: ProcessEnd


class MeasuringStream:
    """Reads journals as the shipper's other streams do, and gives what it reads to the meters.

    How far it has come stands beside each journal, so that a worker that was restarted counts
    nothing twice, and what ended while it was gone is counted by the next.
    """

    name = "metrics"
    optional = False
    batch_size = 512
    most_waiting = 4096

    def __init__(
        self,
        take: Callable[[Sequence[Measured]], None],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Make one.

        Args:
            take: Gets the measurements; `Meters.take`.
            wall_clock: Seconds since the epoch.
        """
        self._take = take
        self._wall_clock = wall_clock

    def selection(self) -> Select:
        """Return what picks ended spans, and the process's end."""
        return _select

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Measure; answered at once."""
        del timeout_s
        since_ns = int((self._wall_clock() - OLDEST_S) * _NS)
        with encoding():
            measured = [one for item in items for one in _measured(item, facts.role, since_ns)]
        self._take(measured)
        return Answer(Verdict.ACCEPTED)

    def close(self) -> None:
        """Nothing is held."""


def _select(record: JournalRecord, finished: Sequence[Span], folder: Folder) -> Sequence[Any]:
    gone = [Gone(record.body)] if isinstance(record.body, ProcessEnd) else []
    if not finished:
        return gone
    task_type = folder.task.task_type if folder.task else ""
    kind = folder.errors[-1].kind if folder.errors else ""
    return [*(Ended(span, task_type, kind) for span in finished), *gone]


def _measured(item: Ended | Gone, role: str, since_ns: int) -> Iterable[Measured]:
    if isinstance(item, Gone):
        if role == _TASK_ROLE and item.end.at_ns >= since_ns:
            yield Measured(names.TASK_PROCESS_ENDS, 1, {names.DEATH_KIND: item.end.kind})
        return
    span = item.span
    if span.end_ns is None or span.end_ns < since_ns:
        return
    if span.kind == SpanKind.CONSUMER.value and names.TASK_TYPE in span.attributes:
        yield from _attempt(item)
    elif span.kind in _CLIENTS and names.MESSAGING_OPERATION_TYPE in span.attributes:
        yield _of(span, names.OPERATION_DURATION, _call(span))
    elif names.STAGE_NAME in span.attributes:
        stage = {names.STAGE_NAME: span.attributes[names.STAGE_NAME]}
        yield _of(span, names.STAGE_DURATION, {names.TASK_TYPE: item.task_type, **stage})
    elif span.name == names.DENOISE_STEP:
        phase = {names.STEP_PHASE: span.attributes.get(names.STEP_PHASE, 0)}
        yield _of(span, names.STEP_DURATION, {names.TASK_TYPE: item.task_type, **phase})


def _attempt(item: Ended) -> Iterable[Measured]:
    attributes = item.span.attributes
    # A supervisor that died has left it open: what became of the task, the next one knows.
    lost = names.DEATH_KIND in attributes and names.TASK_STATUS not in attributes
    facts = {
        names.TASK_TYPE: attributes[names.TASK_TYPE],
        names.TASK_STATUS: attributes.get(names.TASK_STATUS, names.OTHER),
    }
    failed = item.span.status == Status.ERROR
    kind = attributes.get(names.FAILURE_KIND) or (DEATH if lost else item.failure_kind)
    if kind or failed:
        facts[names.FAILURE_KIND] = kind or names.OTHER
    counted = _of(item.span, names.TASK_ATTEMPTS, facts)
    yield counted._replace(value=1)
    facts.pop(names.FAILURE_KIND, None)
    yield _of(item.span, names.PROCESS_DURATION, {**_queue(item.span, "process"), **facts})


def _call(span: Span) -> dict[str, Any]:
    operation = span.attributes[names.MESSAGING_OPERATION_TYPE]
    return {**_queue(span, operation), names.MESSAGING_OPERATION_TYPE: operation}


def _queue(span: Span, operation: str) -> dict[str, Any]:
    return {
        names.MESSAGING_SYSTEM: span.attributes.get(names.MESSAGING_SYSTEM, names.OTHER),
        names.MESSAGING_DESTINATION: span.attributes.get(names.MESSAGING_DESTINATION, names.QUEUE),
        names.MESSAGING_OPERATION_NAME: operation,
    }


def _of(span: Span, name: str, attributes: Mapping[str, Any]) -> Measured:
    """Measure a span's length; one that failed says by what type of error."""
    error = span.attributes.get(names.ERROR_TYPE)
    if error or span.status == Status.ERROR:
        attributes = {**attributes, names.ERROR_TYPE: error or names.OTHER}
    seconds = max(0, span.duration_ns or 0) / _NS
    return Measured(name, seconds, attributes, span.trace_id, span.span_id)
