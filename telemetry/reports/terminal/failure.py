"""Where a failure is, which value did it, and the frames on the way: as a terminal shows them."""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from telemetry.recorder.own_code import own_caller
from telemetry.reports.findings import (
    ExceptionFound,
    FailureFound,
    FrameFound,
    Investigation,
)
from telemetry.reports.places import (
    CALLED_AT,
    NO_PLACE,
    how_known,
    innermost,
    location_of,
    place_text,
)
from telemetry.reports.sentences import (
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
from telemetry.reports.terminal import blocks
from telemetry.reports.wording import one_line, value_text

_MOST_LOCALS: Final = 8  # of the innermost frames
_MOST_OUTER_LOCALS: Final = 3
_INNER_FRAMES: Final = 3
_MOST_VALUES: Final = 12
_MOST_EXCEPTIONS: Final = 8
_MOST_FRAMES: Final = (4, 16)  # of the outermost and of the innermost
_LONGEST_NAME: Final = 26
_LONGEST_VALUE: Final = 200
_LONGEST_ALL: Final = 4000


def where(failure: FailureFound) -> Group:
    """Show the place, how exactly it is known, and the source around it."""
    return blocks.section("Where", _where(failure))


def which_value(found: Investigation, failure: FailureFound, *, everything: bool = False) -> Group:
    """Show the values that decided the failing line, each with where it came from."""
    return blocks.section("Which value did it", _values(found, failure, everything=everything))


def stack(failure: FailureFound, *, everything: bool = False) -> Group:
    """Show every frame, the outermost first, then the other exceptions of the chain.

    Locals are those of frames in the app and of the innermost one, the first few of each, those
    that the failing line names before the others; `everything` shows all, of all frames.
    """
    drawn: list[RenderableType] = []
    if not failure.frames:
        drawn.append(blocks.said(no_stack(failure)))
    drawn += _frames(failure.frames, everything=everything)
    if others := other_exceptions(failure):
        root = root_exception(failure)
        shown, more = blocks.first(others, _MOST_EXCEPTIONS, "exceptions", everything=everything)
        drawn += chain.from_iterable(
            _of_chain(one, framed=one is root, everything=everything) for one in shown
        )
        drawn += more
    aside = "outermost first" if len(failure.frames) > 1 else ""
    return blocks.section("Every frame with its locals", drawn, aside)


def _where(failure: FailureFound) -> Iterator[RenderableType]:
    root = root_first(failure)
    if root:
        yield blocks.said(root_text(root), "bold red")
        if known := root_known(failure):
            yield blocks.said(known, "yellow")
        yield from _root_source(failure)
    place = place_text(failure.location, failure.place, failure.own)
    if place:
        yield blocks.said(f"the failure itself {place}" if root else place, "bold")
    else:
        yield blocks.said(f"the place is {NO_PLACE}", "yellow")
    if place and (known := how_known(failure.place)):
        yield blocks.said(known, "yellow")
    yield from _source(innermost(failure.frames, failure.location))
    yield from _own_source(innermost(failure.frames, failure.own))
    if handled := handled_text(failure):
        yield blocks.said(handled, "" if root else "bold red")
    if not root:
        yield from _root_source(failure)
    if died := death_text(failure):
        yield blocks.said(died)
    if failure.last_words:
        yield blocks.said("its last words on stderr:", "dim")
        yield from (blocks.kept(word, indent=4) for word in failure.last_words[-8:])


def _root_source(failure: FailureFound) -> Iterator[RenderableType]:
    yield from _source(root_frame(failure))
    yield from _own_source(root_own_frame(failure))


def _own_source(frame: FrameFound | None) -> Iterator[RenderableType]:
    """Show the source around our own line, where what raised is a library's."""
    if frame:
        yield blocks.said(place_text(location_of(frame), CALLED_AT), "bold")
        yield from _source(frame)


def _source(frame: FrameFound | None) -> Iterator[RenderableType]:
    if frame:
        yield from blocks.source(frame.source, frame.line)


def _values(
    found: Investigation, failure: FailureFound, *, everything: bool
) -> Iterator[RenderableType]:
    if not failure.values:
        yield blocks.said(no_value(found, failure))
    shown, more = blocks.first(failure.values, _MOST_VALUES, "values", everything=everything)
    for value in shown:
        longest = _LONGEST_ALL if everything else 60
        line = Text(f"{one_line(value.name, 60)} = ", overflow="fold")
        line.append(one_line(value_text(value.value, longest)), style="bold red")
        yield blocks.styled(line)
        yield blocks.said(value.origin, "dim", indent=4)
    yield from more


def _frames(frames: Sequence[FrameFound], *, everything: bool) -> Iterator[RenderableType]:
    if everything:
        groups = [[frame] for frame in frames]
    else:
        groups = [list(run) for _, run in groupby(frames, _spot)]
    left_out = 0 if everything else max(0, len(groups) - sum(_MOST_FRAMES))
    for number, group in enumerate(groups):
        if left_out and number == _MOST_FRAMES[0]:
            yield blocks.said(blocks.left_out(left_out, "frames"), "dim")
        if not left_out or not 0 <= number - _MOST_FRAMES[0] < left_out:
            yield from _group(group, len(groups) - number, everything=everything)


def _spot(frame: FrameFound) -> tuple[str, int, str]:
    return frame.file, frame.line, frame.function


def _group(group: list[FrameFound], depth: int, *, everything: bool) -> Iterator[RenderableType]:
    """Show a frame once, however often it called itself; `depth` is 1 for the innermost."""
    frame, last = group[-1], depth == 1
    style = "bold" if frame.in_app or last else "dim"
    yield blocks.said(place_text(location_of(frame)), style)
    if len(group) > 1:
        yield blocks.said(blocks.left_out(len(group) - 1, "calls of itself"), "dim", indent=4)
    line = next((one.text for one in frame.source if one.number == frame.line), "")
    if line.strip():
        yield blocks.kept(line.strip(), "red" if last else "", indent=6)
    if everything or frame.in_app or last:
        most = _MOST_LOCALS if depth <= _INNER_FRAMES else _MOST_OUTER_LOCALS
        yield from _locals(frame, line, most, everything=everything)


def _locals(
    frame: FrameFound, line: str, most: int, *, everything: bool
) -> Iterator[RenderableType]:
    names = list(frame.locals)
    if not everything:
        names.sort(key=lambda name: name not in line)
    shown, more = blocks.first(names, most, "locals", everything=everything, indent=6)
    longest = _LONGEST_ALL if everything else _LONGEST_VALUE
    if shown:
        rows = [
            (Text(one_line(name, _LONGEST_NAME)), value_text(frame.locals[name], longest))
            for name in shown
        ]
        yield blocks.table(rows, whole=everything, indent=6)
    yield from more


def _of_chain(
    exception: ExceptionFound, *, framed: bool, everything: bool
) -> Iterator[RenderableType]:
    said = (relation_text(exception.relation), exception.type, exception.message)
    yield blocks.said(": ".join(filter(None, said)), "bold")
    if everything or framed:
        yield from _frames(exception.frames, everything=everything)
    elif exception.frames:
        own = own_caller(exception.frames)
        place = location_of(exception.frames[-1]), "raised at", location_of(own) if own else None
        yield blocks.said(place_text(*place), indent=4)
