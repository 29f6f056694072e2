"""Where a failure is, the frames on the way, what is around it in time, as Markdown."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from telemetry.recorder.own_code import own_caller
from telemetry.reports.findings import (
    ExceptionFound,
    FailureFound,
    FrameFound,
    Investigation,
)
from telemetry.reports.markdown import blocks as md
from telemetry.reports.markdown.blocks import Block
from telemetry.reports.moments import MomentFound
from telemetry.reports.places import (
    CALLED_AT,
    NO_PLACE,
    how_known,
    innermost,
    location_of,
    place_text,
)
from telemetry.reports.sentences import (
    counted,
    death_text,
    handled_text,
    no_stack,
    no_value,
    other_exceptions,
    relation_text,
    root_exception,
    root_first,
    root_frame,
    root_known,
    root_own_frame,
    root_text,
)
from telemetry.reports.wording import one_line

_MOST_FRAMES: Final = 24
_MOST_EXCEPTIONS: Final = 12
_MOST_WORDS: Final = 40


def root_cause(found: Investigation, failure: FailureFound, longest: int) -> Iterator[Block]:
    """Tell the place with its source, the values that decided it, and every frame, folded."""
    yield md.heading("Root cause and code location")
    yield md.bullets(_facts(failure))
    if behind := root_frame(failure):
        yield source(behind)
    yield from _own_source(root_own_frame(failure))
    if frame := innermost(failure.frames, failure.location):
        if behind:
            yield md.paragraph("The failure itself:")
        yield source(frame)
    yield from _own_source(innermost(failure.frames, failure.own))
    if failure.last_words:
        yield md.paragraph("Its last words on stderr:")
        yield md.fence(failure.last_words[-_MOST_WORDS:])
    yield md.heading("Which value did it", 3)
    if failure.values:
        rows = [
            (
                md.code(one.name, longest),
                md.value(one.value, longest),
                md.prose(one.origin, 2 * longest),
            )
            for one in failure.values
        ]
        yield md.table(("name", "value", "where it came from"), rows)
    else:
        yield md.paragraph(md.prose(no_value(found, failure)))
    yield from _stack(failure, longest)


def around(moments: list[MomentFound]) -> Iterator[Block]:
    """Show the records and logs around the failure, to the microsecond."""
    yield md.heading("Timeline around the failure")
    if not moments:
        yield md.paragraph("Nothing is in the record.")
        return
    yield md.paragraph("Milliseconds from the failure; records and logs together, times in UTC.")
    width = max(len(f"{one.offset_ms:+,.3f}") for one in moments)
    yield md.fence(
        f"{one.offset_ms:>+{width},.3f}  {one_line(one.at, 27):<27}  {one_line(one.kind, 8):<8} "
        f"{one_line(one.process, 12):<10}  {one_line(one.text)}"
        for one in moments
    )


def source(frame: FrameFound) -> Block:
    """Show the source around a frame's line, which is marked."""
    digits = max((len(str(one.number)) for one in frame.source), default=0)
    return md.fence(
        (
            f"{'>' if one.number == frame.line else ' '} {one.number:>{digits}}  {one.text}"
            for one in frame.source
        ),
        "python",
    )


def _own_source(frame: FrameFound | None) -> Iterator[Block]:
    """Show the source around our own line, where what raised is a library's."""
    if frame:
        yield md.paragraph(
            f"{CALLED_AT.capitalize()} {md.code(place_text(location_of(frame)), 700)}:"
        )
        yield source(frame)


def _facts(failure: FailureFound) -> Iterator[str]:
    place = place_text(failure.location, failure.place, failure.own)
    if root := root_first(failure):
        yield md.prose(root_text(root), 1600)
        if known := root_known(failure):
            yield md.prose(known)
    yield f"place: {md.code(place, 700)}" if place else f"place: {NO_PLACE}"
    if place and (known := how_known(failure.place)):
        yield md.prose(known)
    said = ": ".join(filter(None, (failure.type, failure.message)))
    yield f"{md.code(failure.kind) or 'failure'}: {md.code(said, 1000)}"
    if failure.expression:
        yield f"what was missing: {md.code(failure.expression)}"
    if failure.stage:
        yield f"stage: {md.code(failure.stage)}"
    if failure.at:
        yield f"at: {md.code(failure.at)}"
    if died := death_text(failure):
        yield md.prose(died)
    if handled := handled_text(failure):
        yield f"an exception before it: {md.prose(handled)}"
    if failure.fingerprint:
        yield f"fingerprint: {md.code(failure.fingerprint)}"


def _stack(failure: FailureFound, longest: int) -> Iterator[Block]:
    yield md.heading("Every frame with its locals", 3)
    if not failure.frames:
        yield md.paragraph(md.prose(no_stack(failure)))
    yield from _frames(failure.frames, longest)
    if others := other_exceptions(failure):
        yield md.bullets(map(_of_chain, others[:_MOST_EXCEPTIONS]))
    if root := root_exception(failure):
        yield md.paragraph("The frames of the root cause:")
        yield from _frames(root.frames, longest)


def _frames(frames: list[FrameFound], longest: int) -> Iterator[Block]:
    """Fold the frames away, the outermost first; of too many the outer ones are left out."""
    groups = [list(run) for _, run in groupby(frames, lambda one: (one.file, one.line))]
    if left_out := max(0, len(groups) - _MOST_FRAMES):
        yield md.paragraph(f"*… {counted(left_out, 'outer frame')} left out.*")
    for group in groups[left_out:]:
        frame, again = group[-1], len(group) - 1
        place = place_text(location_of(frame))
        yield md.folded(
            f"{place} ({again:,} times more)" if again else place, _frame(frame, longest)
        )


def _frame(frame: FrameFound, longest: int) -> Block:
    line = next((one.text.strip() for one in frame.source if one.number == frame.line), "")
    rows = [(md.code(name, longest), md.value(one, longest)) for name, one in frame.locals.items()]
    locals_ = md.table(("local", "value"), rows, "locals") if rows else Block(head="No locals.")
    return md.under(md.code(line, longest), locals_)


def _of_chain(exception: ExceptionFound) -> str:
    said = ": ".join(filter(None, (exception.type, exception.message)))
    relation = relation_text(exception.relation)
    if not exception.frames:
        return f"{relation}: {md.code(said, 600)}"
    own, raised = own_caller(exception.frames), exception.frames[-1]
    place = place_text(location_of(raised), own=location_of(own) if own else None)
    return f"{relation}: {md.code(said, 600)}, raised at {md.code(place, 700)}"
