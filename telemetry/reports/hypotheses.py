"""The causes that people suspect first, and what the record says of each.

A verdict is computed from records. One that the record cannot decide is "not decidable", and says
what is missing; that nothing was seen is no evidence where the record has holes.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from telemetry import names
from telemetry.records import Frame
from telemetry.reports.case import QueueEvent
from telemetry.reports.evidence import Evidence, package, place
from telemetry.reports.findings import FrameFound, HypothesisFound, LoopFound, Verdict
from telemetry.reports.suspicions import class_of, is_iterators, is_lazy, is_timeout
from telemetry.reports.wording import duration, one_line, value_text

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
_LOGGING: Final = frozenset({"logging", "telemetry", "structlog", "loguru"})
_ENDS: Final = ("failed", "died", "retried", "released", "completed", "spawned")
_OTHERS: Final = ("cancelled", "cascaded", "worker_lost")  # written by somebody else
# An iteration decides one value in well under a millisecond.
_HANGS_FROM_MS: Final = 10_000

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
        found.append(HypothesisFound(name=name, verdict=verdict, evidence=one_line(fact)))
    return found


def _timeout(evidence: Evidence) -> _Said:
    failure, loop = evidence.failure, evidence.loop
    if evidence.loop_is_over:
        return _RULED_OUT, _loop_ended(loop)
    if failure.kind == "hang" or any(is_timeout(kind) for kind, _ in evidence.raised):
        return _hung(evidence)
    if evidence.was_raised:
        verdict: Verdict = _RULED_OUT if evidence.knows_what_was_raised else _OPEN
        how = (
            ", which is no timeout" if evidence.knows_what_was_raised else ", and from what is lost"
        )
        return verdict, f"{failure.type} was raised{how}; {_broken_off(evidence)}"
    if evidence.completeness.complete and not loop.total:
        return _RULED_OUT, "no iteration of the loop had begun"
    return _died(evidence)


def _hung(evidence: Evidence) -> _Said:
    """Tell whether it was the loop that hung; a record with holes may show a wrong stage."""
    failure, loop = evidence.failure, evidence.loop
    if evidence.was_raised and failure.stage not in ("", "parameters"):
        return _RULED_OUT, f"{failure.type} was raised in stage {failure.stage}, not in the loop"
    if not evidence.completeness.complete:
        return _OPEN, evidence.for_want_of("the end of the loop")
    if not loop.total:
        return _RULED_OUT, f"{failure.message}: no iteration of the loop had begun"
    if failure.stage == "parameters":
        return _CONFIRMED, f"{failure.message} ({_broken_off(evidence)})"
    return _OPEN, evidence.for_want_of("the end of the loop")


def _died(evidence: Evidence) -> _Said:
    """Tell what a death in the loop says of a hang: what hangs may be killed for that."""
    open_ms = evidence.open_iteration_ms
    if open_ms is None:
        return _OPEN, evidence.for_want_of("the end of the loop")
    if not evidence.was_seen_dying:
        return _OPEN, f"nobody saw when the process ended; {_broken_off(evidence)}"
    said = f"the iteration in hand was {duration(open_ms)} old when the process died"
    verdict: Verdict = _OPEN if open_ms >= _HANGS_FROM_MS else _RULED_OUT
    return verdict, f"{said}; {_broken_off(evidence)}"


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


def _phases(evidence: Evidence) -> _Said:
    if evidence.raised and (frame := _first(evidence, _reads_phases)) is not None:
        return _CONFIRMED, f"it passed through {place(frame)}, where phase configs are read"
    if evidence.was_raised and evidence.frames:
        return _none_of(evidence, "reads a phase config")
    ended = evidence.was_seen_dying or evidence.failure.kind == "hang"
    if ended and not evidence.raised:
        return _RULED_OUT, f"no exception was raised: {evidence.failure.message}"
    return _OPEN, evidence.for_want_of("a stack")


def _race(evidence: Evidence) -> _Said:
    if not evidence.events:
        return _OPEN, "this source has no history of the queue"
    claims = [at for at, event in enumerate(evidence.events) if event.name == "claimed"]
    if not claims:
        return _OPEN, "the history of the queue has no claim of this attempt"
    claim = evidence.events[claims[-1]]
    after = _until_its_end(evidence.events[claims[-1] + 1 :])
    for event in after:
        if event.name in _OTHERS and not _is_own_silence(event, evidence):
            return _CONFIRMED, f"the queue has '{event.name}' while it ran: {_facts(event.data)}"
    told = ", ".join(event.name for event in after) or "nothing"
    if not any(event.name in _ENDS for event in after):
        return _OPEN, f"the history of the queue does not have this attempt's end: it has {told}"
    owner = claim.data.get("worker_id") or "one worker"
    return (
        _RULED_OUT,
        f"after its claim by {owner} the queue has only this attempt's own events: {told}",
    )


def _is_own_silence(event: QueueEvent, evidence: Evidence) -> bool:
    """Whether a claim was taken back because its worker had died: that is how it ended, no race."""
    return event.name == "worker_lost" and evidence.failure.kind == "death"


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
    for kind, message in evidence.raised:
        if kind.rpartition(".")[2] == "DefaultsChanged":
            return _CONFIRMED, message
    if before and before == after:
        loop = evidence.loop
        ended = f"{loop.completed} of {loop.total}" if evidence.loop_is_over else "the loop"
        said = f"the digest of the {evidence.defaults.count} defaults is {before[:12]}"
        return _RULED_OUT, f"{said} before iteration 1, and the same after {ended}"
    if before and after:
        return _CONFIRMED, f"their digest is {before[:12]} before the loop and {after[:12]} after"
    return _OPEN, evidence.for_want_of("their digest before and after the loop")


def _iterator(evidence: Evidence) -> _Said:
    failure, loop = evidence.failure, evidence.loop
    for kind, message in evidence.raised:
        if is_iterators(kind, message):
            return _CONFIRMED, f"{kind}: {message}"
    if evidence.loop_is_over:
        order = ", each index once, in order" if _in_order(evidence) else ""
        return _RULED_OUT, f"the loop came to its end: {loop.completed} of {loop.total}{order}"
    if evidence.knows_what_was_raised:
        return _RULED_OUT, f"what was raised is {failure.type}, not what an iterator raises"
    if evidence.was_seen_dying:
        return _RULED_OUT, f"no exception was raised: {failure.message}"
    return _OPEN, evidence.for_want_of("the end of the loop")


def _in_order(evidence: Evidence) -> bool:
    spans = evidence.attempt.iterations if evidence.attempt else []
    found = [span.attributes.get(names.LOOP_INDEX) for span in spans]
    return found == list(range(1, len(found) + 1))


def _logging(evidence: Evidence) -> _Said:
    if (frame := _first(evidence, lambda one: bool(package(one) & _LOGGING))) is not None:
        how = "it passed through" if evidence.was_raised else "it was in"
        return _CONFIRMED, f"{how} {place(frame)}"
    if evidence.frames:
        return _none_of(evidence, "is of logging or of telemetry")
    return _OPEN, evidence.for_want_of("a stack")


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
        return _OPEN, evidence.for_want_of("the values of the failing line")
    for value in values:
        if is_lazy(kind := class_of(value.value)):
            return _CONFIRMED, f"{value.name} is {one_line(kind, 80)}"
    inner = evidence.failure.frames[-1] if evidence.failure.frames else None
    if inner is not None and is_lazy(inner.function.rpartition(".")[0]):
        return _CONFIRMED, f"the failing line is such an object's own: {place(inner)}"
    told = ", ".join(f"{one_line(v.name, 40)} = {value_text(v.value, 40)}" for v in values[:4])
    return _RULED_OUT, f"the values of the failing line are plain: {told}"


def _first(evidence: Evidence, claim: Any) -> FrameFound | Frame | None:
    """Return the innermost frame of which something is claimed, if there is one."""
    known = [*evidence.place, *evidence.frames]
    return next((frame for frame in reversed(known) if claim(frame)), None)


def _none_of(evidence: Evidence, what: str) -> _Said:
    said = f"none of the {len(evidence.frames)} frames {what}"
    if evidence.left_out:
        return _OPEN, f"{said}, but {evidence.left_out} more were not taken down"
    return _RULED_OUT, said


def _reads_phases(frame: FrameFound | Frame) -> bool:
    path = PurePath(frame.file)
    called = f"{frame.module}.{frame.function} {path.parent.name}.{path.name}".lower()
    return any(mark in called for mark in _PHASE_MARKS)


def _facts(data: Mapping[str, Any]) -> str:
    return ", ".join(_pairs(data)) or "without a reason"


def _pairs(data: Mapping[str, Any]) -> Iterator[str]:
    for name in ("worker_id", "call", "reason", "status", "lease_expires_at"):
        if data.get(name):
            yield f"{name} {one_line(str(data[name]), 120)}"
