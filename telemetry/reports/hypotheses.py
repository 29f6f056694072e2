"""The causes that people suspect first, and what the record says of each.

A verdict is computed from records. One that the record cannot decide is "not decidable", and says
what is missing; that nothing was seen is no evidence where the record has holes.
"""

from pathlib import PurePath
from typing import Any, Final

from telemetry import names
from telemetry.records import Frame
from telemetry.reports.evidence import CONFIRMED, OPEN, RULED_OUT, Evidence, Said, package, place
from telemetry.reports.findings import FrameFound, HypothesisFound, Verdict
from telemetry.reports.headway import LoopFound
from telemetry.reports.laziness import lazy
from telemetry.reports.pollution import pollution
from telemetry.reports.races import race
from telemetry.reports.suspicions import (
    is_iterators,
    is_timeout,
    may_be_timeout,
)
from telemetry.reports.wording import duration, one_line

TIMEOUT: Final = "timeout or hang in the loop"
PHASES: Final = "exception in phase-config parsing"
RACE: Final = "race with a concurrent status update"
MUTATED: Final = "model defaults mutated or corrupted"
ITERATOR: Final = "iterator invalidated"
LOGGING: Final = "exception inside logging"
POLLUTION: Final = "engine state pollution"
LAZY: Final = "a value that is a proxy or lazy object"

_PHASE_MARKS: Final = ("params.phases", "phase_config", "phaseconfig")
_LOGGING: Final = frozenset({"logging", "telemetry", "structlog", "loguru"})
_OF_LOOP: Final = ("", "parameters")  # stages that the loop may be in
_UNSEEN: Final = "nobody saw when the process ended"
# An iteration decides one value in well under a millisecond.
_HANGS_FROM_MS: Final = 10_000


def hypotheses(evidence: Evidence) -> list[HypothesisFound]:
    """Return a verdict on each cause that people would suspect."""
    asked = {
        TIMEOUT: _timeout,
        PHASES: _phases,
        RACE: race,
        MUTATED: _mutated,
        ITERATOR: _iterator,
        LOGGING: _logging,
        POLLUTION: pollution,
        LAZY: lazy,
    }
    found = []
    for name, ask in asked.items():
        verdict, fact = ask(evidence)
        found.append(HypothesisFound(name=name, verdict=verdict, evidence=one_line(fact)))
    return found


def _timeout(evidence: Evidence) -> Said:
    failure, loop = evidence.failure, evidence.loop
    if evidence.loop_is_over:
        return RULED_OUT, _loop_ended(loop)
    if failure.kind == "hang" or any(is_timeout(*one) for one in evidence.raised):
        return _hung(evidence)
    if evidence.was_raised:
        return _raised(evidence)
    if evidence.completeness.complete and not loop.total:
        if failure.kind == "death" and not evidence.was_seen_dying:
            return OPEN, f"{_UNSEEN}; no iteration of the loop is recorded"
        return RULED_OUT, "no iteration of the loop had begun"
    return _died(evidence)


def _raised(evidence: Evidence) -> Said:
    """Tell what another exception says of a timeout; its message may be anybody's words."""
    kind, loop = evidence.failure.type, _broken_off(evidence)
    if not evidence.knows_what_was_raised:
        return OPEN, f"{kind} was raised, and from what is lost; {loop}"
    spoken = next((said for _, said in evidence.raised if may_be_timeout(said)), "")
    if spoken and evidence.failure.stage in _OF_LOOP:
        return OPEN, f"{kind} was raised; '{one_line(spoken, 80)}' may speak of a timeout; {loop}"
    lost = evidence.failed_iteration is None and not evidence.completeness.complete
    if lost and evidence.failure.stage == "parameters":
        why = evidence.for_want_of("the end of the iteration that raised")
        return OPEN, f"{kind} was raised; {why}; {loop}"
    if evidence.failed_iteration_ms >= _HANGS_FROM_MS:
        return OPEN, f"{kind} was raised; it may have waited for something: {loop}"
    return RULED_OUT, f"{kind} was raised, which is no timeout; {loop}"


def _hung(evidence: Evidence) -> Said:
    """Tell whether it was the loop that hung; a record with holes may show a wrong stage."""
    failure, loop = evidence.failure, evidence.loop
    if evidence.was_raised and failure.stage not in _OF_LOOP:
        return RULED_OUT, f"{failure.type} was raised in stage {failure.stage}, not in the loop"
    if not evidence.completeness.complete:
        return OPEN, evidence.for_want_of("the end of the loop")
    if not loop.total:
        return RULED_OUT, f"{failure.message}: no iteration of the loop had begun"
    if failure.stage == "parameters":
        return CONFIRMED, f"{failure.message} ({_broken_off(evidence)})"
    return OPEN, evidence.for_want_of("the end of the loop")


def _died(evidence: Evidence) -> Said:
    """Tell what a death in the loop says of a hang: what hangs may be killed for that."""
    open_ms = evidence.open_iteration_ms
    if open_ms is None:
        return OPEN, evidence.for_want_of("the end of the loop")
    if not evidence.was_seen_dying:
        return OPEN, f"{_UNSEEN}; {_broken_off(evidence)}"
    said = f"the iteration in hand was {duration(open_ms)} old when the process died"
    verdict: Verdict = OPEN if open_ms >= _HANGS_FROM_MS else RULED_OUT
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
    if not loop.total:
        said = "no iteration is in the record"
    if loop.slowest is not None:
        said = f"{said}, the slowest took {duration(loop.slowest.ms)}"
    if evidence.failed_iteration is not None:
        which = one_line(evidence.failed_iteration_name, 80)
        took = duration(evidence.failed_iteration_ms)
        said = f"{said}; iteration {which}, which raised, took {took}"
    if count and index > loop.completed:
        said = f"{said}; the error itself says that {index} of {count} had begun"
    return said


def _phases(evidence: Evidence) -> Said:
    if evidence.raised and (frame := _first(evidence, _reads_phases)) is not None:
        return CONFIRMED, f"it passed through {place(frame)}, where phase configs are read"
    if evidence.was_raised and evidence.frames:
        return _none_of(evidence, "reads a phase config")
    ended = evidence.was_seen_dying or evidence.failure.kind == "hang"
    if ended and not evidence.raised:
        return RULED_OUT, f"no exception was raised: {evidence.failure.message}"
    return OPEN, evidence.for_want_of("a stack")


def _mutated(evidence: Evidence) -> Said:
    before, after = evidence.defaults.digest_before, evidence.defaults.digest_after
    for kind, message in evidence.raised:
        if kind.rpartition(".")[2] == "DefaultsChanged":
            return CONFIRMED, message
    if before and before == after:
        loop = evidence.loop
        ended = f"{loop.completed} of {loop.total}" if evidence.loop_is_over else "the loop"
        said = f"the digest of the {evidence.defaults.count} defaults is {before[:12]}"
        return RULED_OUT, f"{said} before iteration 1, and the same after {ended}"
    if before and after:
        return CONFIRMED, f"their digest is {before[:12]} before the loop and {after[:12]} after"
    return OPEN, evidence.for_want_of("their digest before and after the loop")


def _iterator(evidence: Evidence) -> Said:
    failure, loop = evidence.failure, evidence.loop
    for kind, message in evidence.raised:
        if is_iterators(kind, message):
            return CONFIRMED, f"{kind}: {message}"
    if evidence.loop_is_over:
        order = ", each index once, in order" if _in_order(evidence) else ""
        return RULED_OUT, f"the loop came to its end: {loop.completed} of {loop.total}{order}"
    if evidence.knows_what_was_raised:
        return RULED_OUT, f"what was raised is {failure.type}, not what an iterator raises"
    if evidence.was_seen_dying:
        return RULED_OUT, f"no exception was raised: {failure.message}"
    return OPEN, evidence.for_want_of("the end of the loop")


def _in_order(evidence: Evidence) -> bool:
    spans = evidence.attempt.iterations if evidence.attempt else []
    found = [span.attributes.get(names.LOOP_INDEX) for span in spans]
    return found == list(range(1, len(found) + 1))


def _logging(evidence: Evidence) -> Said:
    if (frame := _first(evidence, lambda one: bool(package(one) & _LOGGING))) is not None:
        how = "it passed through" if evidence.was_raised else "it was in"
        return CONFIRMED, f"{how} {place(frame)}"
    if evidence.frames:
        return _none_of(evidence, "is of logging or of telemetry")
    return OPEN, evidence.for_want_of("a stack")


def _first(evidence: Evidence, claim: Any) -> FrameFound | Frame | None:
    """Return the innermost frame of which something is claimed, if there is one."""
    known = [*evidence.place, *evidence.frames]
    return next((frame for frame in reversed(known) if claim(frame)), None)


def _none_of(evidence: Evidence, what: str) -> Said:
    whose = "what was raised" if evidence.was_raised else "the stack"
    said = f"none of the {len(evidence.frames)} frames of {whose} {what}"
    if (text := evidence.text_alone) is not None:
        return OPEN, f"{said}, but of '{one_line(text, 80)}' only the text was passed on"
    if evidence.was_raised and not evidence.knows_what_was_raised:
        return OPEN, f"{said}, but not all that it was raised from is known"
    if evidence.left_out:
        return OPEN, f"{said}, but {evidence.left_out} more were not taken down"
    return RULED_OUT, said


def _reads_phases(frame: FrameFound | Frame) -> bool:
    path = PurePath(frame.file)
    called = f"{frame.module}.{frame.function} {path.parent.name}.{path.name}".lower()
    return any(mark in called for mark in _PHASE_MARKS)
