"""What the forms of a report say in the same words: causes, how far it got, what a record allows.

The texts may hold what strangers wrote: each form escapes them in its own way.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from telemetry.reports.findings import (
    CompletenessFound,
    ExceptionFound,
    FailureFound,
    FrameFound,
    Investigation,
    ParamFound,
    RootCauseFound,
)
from telemetry.reports.headway import StageFound
from telemetry.reports.places import innermost, place_text, told_location, told_own
from telemetry.reports.spoken import told_of
from telemetry.reports.wording import one_line, value_text

_LONGEST_NAME: Final = 60
_NOBODYS: Final = {"", "model", "system"}  # layers that no task wrote
_LONGEST_CAUSE: Final = 400
_WITHOUT_EXCEPTION: Final = {"death", "hang"}
_HANDLED: Final = "handled before"  # the relation of one that is not in the chain itself
# What an exception of a chain is to the one before it.
_RELATIONS: Final = {
    "": "ended as",
    "cause": "caused by",
    "context": "while handling",
    "member": "member of its group",
    _HANDLED: "handled before, and behind it",
}


def counted(number: int, one: str, many: str = "") -> str:
    """Count things: 1 frame, 13 frames."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def relation_text(relation: str) -> str:
    """Say what an exception of a chain is to the one before it."""
    return _RELATIONS.get(relation, "beside")


def root_first(failure: FailureFound) -> RootCauseFound | None:
    """Return the root cause, where it says more than the failure's own place: not of a death."""
    return failure.root if failure.kind not in _WITHOUT_EXCEPTION else None


def root_text(root: RootCauseFound) -> str:
    """Tell the root cause with its place: caused by KeyError: 'a', raised at file:line in f."""
    said = _named(root)
    said = f"behind it: {said}" if root.relation == _HANDLED else f"caused by {said}"
    where = place_text(root.location, root.place or "raised at", root.own)
    return f"{said}, {where}" if where else said


def root_step(root: RootCauseFound) -> str:
    """Say where to begin: at the place of the root cause, or at the line of ours that led there."""
    where, said = place_text(root.own or root.location), _named(root)
    if root.own:
        said = f"{said}, {place_text(root.location, root.place or 'raised at')}"
    if root.relation != _HANDLED:
        return f"Open {where}, the root cause: {said}."
    known = f" ({one_line(root.known_by, _LONGEST_NAME)})" if root.known_by else ""
    return f"Open {where}, behind the failure{known}: {said}."


def root_known(failure: FailureFound) -> str:
    """Say how it is known that the root cause is behind the failure; "" where its chain says so."""
    root = root_first(failure)
    if root is None or root.relation != _HANDLED or not root.known_by:
        return ""
    return f"how that is known: {one_line(root.known_by, _LONGEST_NAME)}"


def _named(root: RootCauseFound) -> str:
    said = one_line(": ".join(filter(None, (root.type, root.message))), _LONGEST_CAUSE)
    if root.expression and told_of([(root.type, root.message)]) == "was None":
        said = f"{said}; {one_line(root.expression, 80)} was None"
    return said


def root_frame(failure: FailureFound) -> FrameFound | None:
    """Return the frame that raised the root cause; None where the record does not have it."""
    found = root_exception(failure)
    return innermost(found.frames[-1:], failure.root.location) if found and failure.root else None


def root_own_frame(failure: FailureFound) -> FrameFound | None:
    """Return the frame of ours that called what raised the root cause, where that is another's."""
    found = root_exception(failure)
    return innermost(found.frames, failure.root.own) if found and failure.root else None


def root_exception(failure: FailureFound) -> ExceptionFound | None:
    """Return the exception of the chain that is the root cause, where its frames are recorded."""
    if failure.root is None:
        return None
    ended = ((one, innermost(one.frames[-1:], failure.root.location)) for one in failure.chain)
    found = [one for one, frame in ended if frame and one.frames != failure.frames]
    return found[-1] if found else None


def other_exceptions(failure: FailureFound) -> list[ExceptionFound]:
    """Return the exceptions of the chain whose frames are not those of the failure itself."""
    if len(failure.chain) == 1 and not failure.chain[0].relation:
        return []
    return [one for one in failure.chain if one.frames != failure.frames]


def handled_text(failure: FailureFound) -> str:
    """Say what was handled before and how that is known; "" where it is told as the root cause."""
    root, cause = root_first(failure), failure.caused_by
    place = str(cause.get("file") or ""), cause.get("line") or 0
    told = root is not None and (root.location.file, root.location.line) == place
    return cause_text(cause) if cause and not told else ""


def cause_text(cause: Mapping[str, Any]) -> str:
    """Say what was handled before and is behind the failure, and how that is known."""
    where = place_text(told_location(cause), str(cause.get("place") or ""), told_own(cause))
    known_by = str(cause.get("known_by") or "")
    if known_by and not known_by.startswith("handled before"):
        known_by = f"behind it, {known_by}"
    said = filter(None, (known_by, str(cause.get("type") or ""), str(cause.get("message") or "")))
    return ": ".join(said) + (f" ({where})" if where else "")


def death_text(failure: FailureFound) -> str:
    """Say by which signal, or with which code, the process ended; "" of one that did not."""
    code = "" if failure.exit_code is None else f"exit code {failure.exit_code}"
    said = ", ".join(filter(None, (failure.signal, code)))
    how = "its supervisor ended it" if failure.kind == "hang" else "it died"
    return f"{how}: {said}" if said else ""


def no_value(found: Investigation, failure: FailureFound) -> str:
    """Say why no value is told that decided the failing line."""
    if failure.kind in _WITHOUT_EXCEPTION:
        return "none is known: the process ended without an exception"
    if not failure.frames and not found.completeness.complete:
        return "not known: the stack with its locals is not in the record, which is incomplete"
    if failure.frames:
        return "the failing line names none of the locals that are recorded"
    return "not known: there is no stack with its locals"


def no_stack(failure: FailureFound) -> str:
    """Say why there is no stack."""
    if failure.kind in _WITHOUT_EXCEPTION:
        return "none: the process ended without leaving a stack"
    if failure.place == "reported at":
        return "none: only the text of an exception was passed on, and not the exception"
    return "none is in the record: what is told above is what the queue's row kept"


def used_text(one: ParamFound, found: Investigation, longest: int) -> str:
    """Write what was used of a parameter, or say that nothing is known of it."""
    if one.source:
        return value_text(one.value, longest)
    return "not decided" if found.completeness.complete else "not in the record"


def asked_text(one: ParamFound, longest: int) -> str:
    """Write what was asked of a parameter; "" where nobody but the model's defaults says it."""
    said = one.source not in _NOBODYS and one.asked is not None
    return value_text(one.asked, longest) if said else ""


def ended_text(stage: StageFound, found: Investigation) -> str:
    """Say how a stage ended; that it is open, only of a task that is at work."""
    lost = stage.ended == "unknown" or (stage.ended == "open" and found.failure is not None)
    return "its end is not in the record" if lost else stage.ended


def has_run(found: Investigation) -> bool:
    """Whether an attempt was made at the task: else nothing was to be recorded."""
    return bool(found.completeness.begun) or not found.completeness.complete


def loop_known(found: Investigation) -> bool:
    """Whether the record can say how far the loop got: it has no holes, or shows all of it."""
    loop = found.loop
    return bool(loop.total) and (found.completeness.complete or loop.completed >= loop.total)


def loop_text(found: Investigation) -> str:
    """Say how far the loop got; of a record with holes only that it holds no more."""
    loop = found.loop
    if not loop.total:
        begun = found.completeness.complete
        return f"loop: no iteration {'was begun' if begun else 'is in the record'}"
    if loop_known(found):
        return f"loop: {loop.completed:,} of {loop.total:,} iterations ended well"
    return (
        f"loop: {loop.completed:,} of {loop.total:,} iterations are in the record; it is "
        "incomplete: the others may have ended too"
    )


def steps_text(found: Investigation) -> str:
    """Say how far denoising got; of a record with holes only that it holds no more."""
    steps = found.steps
    if not steps.total:
        begun = found.completeness.complete
        return f"denoising: no step {'was begun' if begun else 'is in the record'}"
    said = f"denoising: {steps.completed:,} of {steps.total:,} steps ended well"
    if not found.completeness.complete and steps.completed < steps.total:
        said = f"denoising: {steps.completed:,} of {steps.total:,} steps are in the record"
    return f"{said}, in phase {one_line(steps.phase, _LONGEST_NAME)}" if steps.phase else said


def counts_text(record: CompletenessFound) -> str:
    """Say what a record holds and lacks, in numbers."""
    unended = f", {record.unended:,} without an end in the record" if record.unended else ""
    return (
        f"spans: {record.begun:,} begun, {record.arrived:,} arrived, {record.cut_off:,} cut off, "
        f"{record.open:,} at work{unended}; records: {record.lost:,} lost; "
        f"{record.damaged_bytes:,} bytes damaged"
    )


def lacks(record: CompletenessFound) -> str:
    """Say what an incomplete record lacks, in a few words."""
    found = []
    if record.lost:
        found.append(f"{counted(record.lost, 'record')} lost")
    if record.damaged_bytes:
        found.append(f"{counted(record.damaged_bytes, 'byte')} damaged")
    if not record.begun:
        found.append("no span of this attempt is in it")
    return ", ".join(found) or "its tail is missing"


def conclusions(found: Investigation) -> Iterator[str]:
    """Say what may be concluded from an incomplete record, and what may not."""
    failure = found.failure
    if failure and failure.location.file and failure.place != "opened at":
        yield "What holds: the failure and its place below; they do not hang on what is missing."
    elif failure and failure.location.file:
        yield "What holds: that it ended, and that what the line below opened was at work."
    elif failure:
        yield "What holds: that it failed. Where, the record cannot say."
    yield (
        "What does not: that something did not happen because it is not shown. Where the record "
        "ends is not where the task failed."
    )


def facts(found: Investigation) -> Iterator[str]:
    """Say in a few words each when and where it ran, and how much is known and concerned."""
    task, failure = found.task, found.failure
    if not has_run(found):
        yield "no attempt was made at it"
        return
    when = one_line(failure.at if failure else task.returned, _LONGEST_NAME)
    worker = f" on {one_line(task.worker, _LONGEST_NAME)}" if task.worker else ""
    yield ", ".join(filter(None, (when, f"attempt {task.attempt}{worker}")))
    if not failure:
        return
    if loop_known(found):
        yield f"loop {found.loop.completed:,} of {found.loop.total:,}"
    if found.completeness.complete:
        yield "record complete"
    if found.same_failure:
        yield f"{counted(len(found.same_failure), 'other attempt')} failed so"
    if fell := sum(one.felled for one in found.relatives):
        yield f"{counted(fell, 'other task')} fell with it"
