"""The causes that people suspect first, and what the record says of each.

A verdict is computed from records. One that the record cannot decide is "not decidable", and says
what is missing; that nothing was seen is no evidence where the record has holes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import QueueEvent
from telemetry.reports.findings import (
    CompletenessFound,
    DefaultsFound,
    FailureFound,
    FrameFound,
    HypothesisFound,
    LoopFound,
    ReplayFound,
    StageFound,
    Verdict,
)
from telemetry.reports.wording import duration, one_line, value_text
from telemetry.spans import CLOSED_BY_END

TIMEOUT: Final = "timeout or hang in the loop"
PHASES: Final = "exception in phase-config parsing"
RACE: Final = "race with a concurrent status update"
MUTATED: Final = "model defaults mutated or corrupted"
ITERATOR: Final = "iterator invalidated"
LOGGING: Final = "exception inside logging"
POLLUTION: Final = "engine state pollution"
LAZY: Final = "a value that is a proxy or lazy object"

_RULED_OUT: Final = "ruled out"
_CONFIRMED: Final = "confirmed"
_OPEN: Final = "not decidable"

_PHASE_MARKS: Final = ("params.phases", "phase_config", "phaseconfig")
_ITERATOR_MARKS: Final = (
    "size during iteration",
    "mutated during iteration",
    "keys changed during",
)
_ENDS: Final = ("failed", "died", "retried", "released", "completed", "spawned")
_OTHERS: Final = ("cancelled", "cascaded", "worker_lost", "refused")  # written by somebody else
_LAZY_MARKS: Final = ("proxy", "lazy", "promise", "deferred")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the verdicts are computed from; `attempt` is None where nothing is recorded."""

    failure: FailureFound
    attempt: Attempt | None
    loop: LoopFound
    stages: Sequence[StageFound]
    defaults: DefaultsFound
    completeness: CompletenessFound
    events: Sequence[QueueEvent]
    replayed: ReplayFound | None
    position: tuple[int, int]  # of the loop, as the error itself has it

    @property
    def frames(self) -> list[FrameFound]:
        """The frames of the failure and of all that is behind it."""
        chain = [frame for one in self.failure.chain for frame in one.frames]
        return chain or list(self.failure.frames)

    @property
    def loop_is_over(self) -> bool:
        """Whether every iteration is known to have ended well."""
        return 0 < self.loop.total == self.loop.completed


_Said = tuple[Verdict, str]


def hypotheses(evidence: Evidence) -> list[HypothesisFound]:
    """Return a verdict on each cause that people would suspect."""
    asked = {
        TIMEOUT: _timeout,
        PHASES: _phases,
        RACE: _race,
        MUTATED: _mutated,
        ITERATOR: _iterator,
        LOGGING: _logging,
        POLLUTION: _pollution,
        LAZY: _lazy,
    }
    found = []
    for name, ask in asked.items():
        verdict, fact = ask(evidence)
        found.append(HypothesisFound(name=name, verdict=verdict, evidence=fact))
    return found


def _timeout(evidence: Evidence) -> _Said:
    failure, loop = evidence.failure, evidence.loop
    if evidence.loop_is_over:
        return _RULED_OUT, _loop_ended(loop)
    hung = failure.kind == "hang" or "timeout" in failure.type.lower()
    if hung and failure.stage == "parameters" and evidence.completeness.complete:
        return _CONFIRMED, f"{failure.message} ({_broken_off(evidence)})"
    if not hung and failure.kind in ("exception", "refused"):
        return (
            _RULED_OUT,
            f"{failure.type} was raised, which is no timeout; {_broken_off(evidence)}",
        )
    if evidence.completeness.complete and not loop.total:
        return _RULED_OUT, "no iteration of the loop had begun"
    if (open_ms := _open_iteration_ms(evidence)) is not None and not hung:
        said = f"the iteration in hand was {duration(open_ms)} old when the process died"
        return _RULED_OUT, f"{said}; {_broken_off(evidence)}"
    return _OPEN, _for_want_of(evidence, "the end of the loop")


def _loop_ended(loop: LoopFound) -> str:
    said = f"{loop.completed} of {loop.total} iterations had ended before it failed"
    if loop.last is not None:
        said = f"{said}, the last at {loop.last.ended}"
    if loop.slowest is not None:
        slowest = f"{loop.slowest.index} ({one_line(loop.slowest.key, 60)})"
        said = f"{said}; the slowest, {slowest}, took {duration(loop.slowest.ms)}"
    return said


def _broken_off(evidence: Evidence) -> str:
    loop, (index, count) = evidence.loop, evidence.position
    said = f"{loop.completed} of {loop.total} iterations are recorded as ended"
    if loop.slowest is not None:
        said = f"{said}, the slowest took {duration(loop.slowest.ms)}"
    if count and index > loop.completed:
        said = f"{said}; the error itself says that {index} of {count} had begun"
    return said


def _open_iteration_ms(evidence: Evidence) -> float | None:
    """Return how old the iteration was that the process died in, where the record shows it."""
    if evidence.attempt is None or not evidence.completeness.complete:
        return None
    cut = [
        span
        for span in evidence.attempt.iterations
        if span.closed_by != CLOSED_BY_END and span.duration_ns is not None
    ]
    return (cut[-1].duration_ns or 0) / 1e6 if cut else None


def _phases(evidence: Evidence) -> _Said:
    frames = evidence.frames
    for frame in reversed(frames):
        called = f"{frame.module}.{frame.function} {frame.file}".lower()
        if any(mark in called for mark in _PHASE_MARKS) and evidence.failure.kind != "hang":
            return _CONFIRMED, f"it passed through {_place(frame)}, where phase configs are read"
    if frames:
        return _RULED_OUT, f"none of the {len(frames)} frames reads a phase config"
    if evidence.loop.total:
        first = evidence.loop.total
        return _RULED_OUT, f"it is read before the loop, and the loop of {first} had begun"
    return _OPEN, _for_want_of(evidence, "a stack")


def _race(evidence: Evidence) -> _Said:
    if not evidence.events:
        return _OPEN, "this source has no history of the queue"
    since = [event for event in evidence.events if event.name == "claimed"]
    if not since:
        return _OPEN, "the history of the queue has no claim of this attempt"
    after = _until_its_end(evidence.events[list(evidence.events).index(since[-1]) + 1 :])
    for event in after:
        if event.name in _OTHERS and evidence.failure.type != "WorkerLost":
            return _CONFIRMED, f"the queue has '{event.name}' while it ran: {_facts(event.data)}"
    told = ", ".join(event.name for event in after) or "nothing"
    owner = since[-1].data.get("worker_id") or "one worker"
    return (
        _RULED_OUT,
        f"after its claim by {owner} the queue has only this attempt's own events: {told}",
    )


def _until_its_end(events: Sequence[QueueEvent]) -> list[QueueEvent]:
    """Return the events of an attempt, up to the one that it ended with."""
    found = []
    for event in events:
        found.append(event)
        if event.name in _ENDS:
            break
    return found


def _mutated(evidence: Evidence) -> _Said:
    before, after = evidence.defaults.digest_before, evidence.defaults.digest_after
    if evidence.failure.type.endswith("DefaultsChanged"):
        return _CONFIRMED, evidence.failure.message
    if before and before == after:
        count = evidence.defaults.count
        ended = f"{evidence.loop.completed} of {evidence.loop.total}"
        said = f"the digest of the {count} defaults is {before[:12]} before iteration 1"
        return _RULED_OUT, f"{said}, and the same after {ended}"
    if before and after:
        return _CONFIRMED, f"their digest is {before[:12]} before the loop and {after[:12]} after"
    return _OPEN, _for_want_of(evidence, "their digest before and after the loop")


def _iterator(evidence: Evidence) -> _Said:
    failure, loop = evidence.failure, evidence.loop
    if any(mark in failure.message for mark in _ITERATOR_MARKS):
        return _CONFIRMED, f"{failure.type}: {failure.message}"
    if evidence.loop_is_over:
        return (
            _RULED_OUT,
            f"the loop came to its end: {loop.completed} of {loop.total}, each index once, in order"
            if _in_order(evidence)
            else f"the loop came to its end: {loop.completed} of {loop.total}",
        )
    if failure.kind in ("exception", "refused"):
        return _RULED_OUT, f"what was raised is {failure.type}, not what an iterator raises"
    if failure.kind == "death" and failure.type != "lost":
        return _RULED_OUT, f"no exception was raised: {failure.message}"
    return _OPEN, _for_want_of(evidence, "the end of the loop")


def _in_order(evidence: Evidence) -> bool:
    spans = evidence.attempt.iterations if evidence.attempt else []
    found = [span.attributes.get(names.LOOP_INDEX) for span in spans]
    return found == list(range(1, len(found) + 1))


def _logging(evidence: Evidence) -> _Said:
    frames = evidence.frames
    for frame in frames:
        if frame.module.split(".")[0] in ("logging", "telemetry", "structlog", "loguru"):
            return _CONFIRMED, f"it passed through {_place(frame)}"
    if frames:
        return _RULED_OUT, f"none of the {len(frames)} frames is of logging or of telemetry"
    return _OPEN, _for_want_of(evidence, "a stack")


def _pollution(evidence: Evidence) -> _Said:
    replayed = evidence.replayed
    if replayed is None:
        return _OPEN, f"decided by a replay in a fresh process; {_tasks_before(evidence)}"
    if replayed.same:
        return _RULED_OUT, f"a fresh process failed in the same way at {replayed.at}"
    return _CONFIRMED, f"replayed in a fresh process at {replayed.at}: {replayed.says}"


def _tasks_before(evidence: Evidence) -> str:
    before = evidence.attempt.tasks_before if evidence.attempt else None
    if before is None:
        return "what its process had run before is not recorded"
    if not before:
        return "it was the first task recorded of its process in this trace"
    return f"its process had run {before} tasks of this trace before it"


def _lazy(evidence: Evidence) -> _Said:
    values = evidence.failure.values
    if not values:
        return _OPEN, _for_want_of(evidence, "the values of the failing line")
    for value in values:
        if (kind := _class_of(value.value)) and any(m in kind.lower() for m in _LAZY_MARKS):
            return _CONFIRMED, f"{value.name} is {one_line(kind, 80)}"
    told = ", ".join(f"{one_line(v.name, 40)} = {value_text(v.value, 40)}" for v in values[:4])
    return _RULED_OUT, f"the values of the failing line are plain: {told}"


def _class_of(value: Any) -> str:
    """Return the class that a snapshot shows instead of a value; "" where it shows the value."""
    if isinstance(value, Mapping):
        return str(value.get("<class>", ""))
    return value if isinstance(value, str) and value[:1] == "<" and value[-1:] == ">" else ""


def _for_want_of(evidence: Evidence, what: str) -> str:
    if evidence.attempt is None or not evidence.completeness.begun:
        return f"nothing is recorded of this attempt: {what} is not known"
    if not evidence.completeness.complete:
        return f"the record is incomplete: {what} is not in it"
    return f"the record does not have {what}"


def _place(frame: FrameFound) -> str:
    return f"{frame.file}:{frame.line} in {frame.function}"


def _facts(data: Mapping[str, Any]) -> str:
    return ", ".join(_pairs(data)) or "without a reason"


def _pairs(data: Mapping[str, Any]) -> Iterator[str]:
    for name in ("worker_id", "call", "reason", "status", "lease_expires_at"):
        if data.get(name):
            yield f"{name} {one_line(str(data[name]), 120)}"
