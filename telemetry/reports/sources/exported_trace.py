"""A journey out of spans that were exported: what a backend has, in the form of the journals'."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from telemetry import names
from telemetry.journal import ProcessFacts
from telemetry.journal.directory import facts_of_name
from telemetry.records import ProcessEnd, SpanKind, TaskBegin, TaskEnd
from telemetry.reports.sources.exported_errors import end_of, errors_of
from telemetry.reports.sources.lineage import Lineage, is_attempt
from telemetry.reports.sources.otlp_reading import ExportedProcess
from telemetry.reports.trace import ProcessPart, TraceModel
from telemetry.spans import Span

_FACT: Final = "loop26.process."
_TASK_ROLE: Final = "task"
_DIED: Final = "Died"
_LONGEST_NAME: Final = 200


def trace_of(exported: Iterable[ExportedProcess], trace_id: str, task_id: str) -> TraceModel:
    """Return the journey that exported spans tell; those of other traces are left out.

    Spans arrive when they have ended: no process is known to be alive, and no span is open. The end
    of a task or a process is only told where every span of it that its journal counted is here, so
    that what has not arrived is taken for a missing tail.
    """
    wanted = bytes.fromhex(trace_id)
    spans: dict[str, list[Span]] = {}
    resources: dict[str, Mapping[str, Any]] = {}
    for resource, found in exported:
        ours = [span for span in found if span.trace_id == wanted]
        if ours:
            name = _name(resource)
            spans.setdefault(name, []).extend(ours)
            resources.setdefault(name, resource)
    lineage = Lineage(spans.values())
    missing = {attempt.span_id: lost for attempt, lost in _missing(spans.values(), lineage)}
    parts = [
        _Part(_facts(name, resources[name]), ours, lineage, missing).read()
        for name, ours in spans.items()
    ]
    parts.sort(key=lambda part: (part.facts.started_ns, part.facts.id))
    return TraceModel(task_id=task_id, trace_id=trace_id, processes=tuple(parts))


def missing_spans(model: TraceModel, task_id: str) -> int | None:
    """Return how many spans of a task's newest attempt its journal counted and are not here.

    None where that is not known: its `process` span has not arrived, or counts nothing.
    """
    parts = [part.spans for part in model.processes]
    found = [
        (attempt, lost)
        for attempt, lost in _missing(parts, Lineage(parts))
        if attempt.attributes[names.TASK_ID] == task_id
    ]
    return max(found, key=lambda one: one[0].start_ns)[1] if found else None


def _missing(
    parts: Iterable[Sequence[Span]], lineage: Lineage
) -> Iterator[tuple[Span, int | None]]:
    """Yield each attempt's `process` span, and how many of the spans it counts are not here."""
    arrived: Counter[bytes] = Counter()
    for part in parts:
        own = {span.span_id for span in part if is_attempt(span)}
        for span in part:
            attempt = lineage.attempt(span)
            # What its supervisor did under it is in another journal.
            if attempt is not None and attempt.span_id not in own:
                arrived[attempt.span_id] += 1
    for attempt in lineage.attempts:
        counted: Any = attempt.attributes.get(names.RECORD_SPANS)
        known = type(counted) is int and attempt.attributes.get(names.RECORD_COMPLETE) is True
        yield attempt, max(0, counted - arrived[attempt.span_id]) if known else None


class _Part:
    """What one process has exported of a trace."""

    def __init__(
        self,
        facts: ProcessFacts,
        spans: list[Span],
        lineage: Lineage,
        missing: Mapping[bytes, int | None],
    ) -> None:
        self._facts = facts
        self._spans = sorted(spans, key=lambda span: (span.start_ns, span.seq))
        self._lineage = lineage
        self._missing = missing

    def read(self) -> ProcessPart:
        """Return it in the form of a journal's."""
        attempts = self._attempts()
        whole = all(self._missing.get(attempt.span_id) == 0 for attempt, _ in attempts)
        end = end_of(self._spans)
        return ProcessPart(
            facts=self._facts,
            alive=False,
            spans=tuple(self._spans),
            logs=(),
            errors=tuple(errors_of(self._spans, self._lineage)),
            tasks=(*self._sent(), *(self._task(*one, end) for one in attempts)),
            end=end if whole else None,
            gaps=(),
            damaged_bytes=0,
        )

    def _attempts(self) -> list[tuple[Span, list[Span]]]:
        """Return the attempts that this process has led, or worked on, each with its spans here."""
        found: dict[bytes, tuple[Span, list[Span]]] = {}
        for span in self._spans:
            if (attempt := self._lineage.attempt(span)) is not None:
                found.setdefault(attempt.span_id, (attempt, []))[1].append(span)
        works = self._facts.role == _TASK_ROLE
        took_part = [
            one for one in found.values() if works or any(span is one[0] for span in one[1])
        ]
        return sorted(took_part, key=lambda one: one[0].start_ns)

    def _sent(self) -> Iterator[tuple[TaskBegin, TaskEnd | None]]:
        """Yield the task that this process has put into the queue: of several at once, none."""
        for span in self._spans:
            said = span.attributes
            sends = span.kind == SpanKind.PRODUCER and span.parent_id is None
            if sends and names.MESSAGING_MESSAGE_ID in said:
                begin = TaskBegin(
                    task_id=str(said[names.MESSAGING_MESSAGE_ID]),
                    attempt=0,  # nobody has claimed it
                    task_type=str(said.get(names.TASK_TYPE, "")),
                    trace_id=span.trace_id,
                    worker_id="",
                    at_ns=span.start_ns,
                )
                end_ns = span.end_ns or span.start_ns
                end = TaskEnd(task_id=begin.task_id, attempt=0, at_ns=end_ns, outcome="")
                yield begin, end

    def _task(
        self, attempt: Span, own: Sequence[Span], died: ProcessEnd | None
    ) -> tuple[TaskBegin, TaskEnd | None]:
        said = attempt.attributes
        number = said.get(names.TASK_ATTEMPT)
        begin = TaskBegin(
            task_id=str(said[names.TASK_ID]),
            attempt=number if type(number) is int else 0,
            task_type=str(said.get(names.TASK_TYPE, "")),
            trace_id=attempt.trace_id,
            worker_id=str(said.get(names.WORKER_ID, "")),
            at_ns=own[0].start_ns,
            params=_params(said) if self._facts.role == _TASK_ROLE else {},
        )
        return begin, self._end(begin, attempt, own, died)

    def _end(
        self, begin: TaskBegin, attempt: Span, own: Sequence[Span], died: ProcessEnd | None
    ) -> TaskEnd | None:
        """Return the end of a task in this process, where it is known to have come to it."""
        outcome = self._lineage.outcome(attempt)
        leads = any(span is attempt for span in own)
        if not leads and (died or outcome in (None, _DIED) or self._missing[attempt.span_id] != 0):
            return None
        at_ns = max(span.end_ns or span.start_ns for span in own)
        return TaskEnd(
            task_id=begin.task_id,
            attempt=begin.attempt,
            at_ns=at_ns,
            outcome="" if leads else str(outcome),
        )


def _name(resource: Mapping[str, Any]) -> str:
    """Return the process's id; of what is none of loop26's, a service that took part, its name."""
    name = resource.get("service.instance.id") or resource.get("service.name") or ""
    return str(name)[:_LONGEST_NAME]


def _facts(name: str, resource: Mapping[str, Any]) -> ProcessFacts:
    pid = resource.get("process.pid")
    return msgspec.structs.replace(
        facts_of_name(Path(name)),
        id=name,
        role=str(resource.get("loop26.role", "")),
        pid=pid if type(pid) is int else 0,
        host=str(resource.get("host.name", "")),
        version=str(resource.get("service.version", "")),
        facts={
            key.removeprefix(_FACT): value
            for key, value in resource.items()
            if key.startswith(_FACT)
        },
    )


def _params(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task's parameters, which its `process` span has as JSON; {} where they are cut."""
    try:
        return msgspec.json.decode(str(said.get(names.TASK_PARAMS, "")), type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
