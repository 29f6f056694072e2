"""What the forms of a report say in the same words: places, how far it got, what a record allows.

The texts may hold what strangers wrote: each form escapes them in its own way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from telemetry.reports.findings import (
    CompletenessFound,
    FailureFound,
    FrameFound,
    Investigation,
    Location,
    ParamFound,
    RelativeFound,
    StageFound,
)
from telemetry.reports.wording import one_line, value_text

_LONGEST_NAME: Final = 60
_NOBODYS: Final = {"", "model", "system"}  # layers that no task wrote
_LONGEST_PLACE: Final = 300
_WITHOUT_EXCEPTION: Final = {"death", "hang"}
_HOW_KNOWN: Final = {
    "stopped at": "the innermost line of Python when it ended; native code may be below it",
    "opened at": "not the line of the failure: it opened what was at work then",
    "reported at": "not the line of the failure: only its text was passed on, told here",
}


def counted(number: int, one: str, many: str = "") -> str:
    """Count things: 1 frame, 13 frames."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def place_text(location: Location, place: str = "") -> str:
    """Write a place: raised at file:line in function; "" where no file is known."""
    if not location.file:
        return ""
    said = f"{one_line(location.file, _LONGEST_PLACE)}:{location.line}"
    if location.function:
        said = f"{said} in {one_line(location.function, _LONGEST_PLACE)}"
    return f"{one_line(place, _LONGEST_NAME)} {said}".strip()


def innermost(frames: Sequence[FrameFound], location: Location) -> FrameFound | None:
    """Return the frame that a location is of, the innermost first; None where there is none."""
    spot = location.file, location.line
    return next((one for one in reversed(frames) if (one.file, one.line) == spot), None)


def how_known(place: str) -> str:
    """Say how exactly a place is known, where it is not the very line that raised."""
    return _HOW_KNOWN.get(place, "")


def cause_text(cause: Mapping[str, Any]) -> str:
    """Say what was handled before and is behind the failure, and how that is known."""
    line = cause.get("line")
    location = Location(
        file=str(cause.get("file") or ""),
        line=line if isinstance(line, int) else 0,
        function=str(cause.get("function") or ""),
    )
    where = place_text(location, str(cause.get("place") or ""))
    known_by = str(cause.get("known_by") or "")
    if known_by and not known_by.startswith("handled before"):
        known_by = f"behind it, {known_by}"
    said = filter(None, (known_by, str(cause.get("type") or ""), str(cause.get("message") or "")))
    return ": ".join(said) + (f" ({where})" if where else "")


def death_text(failure: FailureFound) -> str:
    """Say by which signal, or with which code, the process ended; "" of one that did not."""
    code = "" if failure.exit_code is None else f"exit code {failure.exit_code}"
    said = ", ".join(filter(None, (failure.signal, code)))
    return f"it died: {said}" if said else ""


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
    lost = stage.ended == "open" and found.failure is not None
    return "its end is not in the record" if lost else stage.ended


def loop_known(found: Investigation) -> bool:
    """Whether the record can say how far the loop got: it has no holes, or shows all of it."""
    loop = found.loop
    return bool(loop.total) and (found.completeness.complete or loop.completed >= loop.total)


def loop_text(found: Investigation) -> str:
    """Say how far the loop got; of a record with holes only that it holds no more."""
    loop = found.loop
    if not loop.total:
        return "loop: no iteration is in the record"
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
        return "steps: none of denoising is in the record"
    said = f"steps: {steps.completed:,} of {steps.total:,} of denoising ended well"
    if not found.completeness.complete and steps.completed < steps.total:
        said = f"steps: {steps.completed:,} of {steps.total:,} of denoising are in the record"
    return f"{said}, in phase {one_line(steps.phase, _LONGEST_NAME)}" if steps.phase else said


def counts_text(record: CompletenessFound) -> str:
    """Say what a record holds and lacks, in numbers."""
    return (
        f"spans: {record.begun:,} begun, {record.arrived:,} arrived, {record.cut_off:,} cut off, "
        f"{record.open:,} at work; records: {record.lost:,} lost; "
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


def fell_with(relative: RelativeFound, found: Investigation) -> bool:
    """Whether a relative ended because of the task, and not by itself."""
    return f"because of {found.task.id}" in relative.because


def facts(found: Investigation) -> Iterator[str]:
    """Say in a few words each when and where it ran, and how much is known and concerned."""
    task, failure = found.task, found.failure
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
    if fell := sum(fell_with(one, found) for one in found.relatives):
        yield f"{counted(fell, 'other task')} fell with it"
