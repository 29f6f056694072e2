"""Lines of code as the forms of a report name them: the one that raised, and the one of ours."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.reports.findings import FrameFound, Location
from telemetry.reports.wording import one_line

_LONGEST_NAME: Final = 60
_LONGEST_PLACE: Final = 300
_HOW_KNOWN: Final = {
    "stopped at": "the innermost line of Python when it ended; native code may be below it",
    "opened at": "not the line of the failure: it opened what was at work then",
    "reported at": "not the line of the failure: only its text was passed on, told here",
}
CALLED_AT: Final = "called at"  # how the line of our own is known, where a library's raised
NO_PLACE: Final = "not known: nothing that arrived names it"


def place_text(location: Location, place: str = "", own: Location | None = None) -> str:
    """Write a place: raised at file:line in function; "" where no file is known.

    `own` is the line of our own code that called it, where there is another: it is named after it.
    """
    if not location.file:
        return ""
    said = f"{one_line(location.file, _LONGEST_PLACE)}:{location.line}"
    if location.function:
        said = f"{said} in {one_line(location.function, _LONGEST_PLACE)}"
    said = f"{one_line(place, _LONGEST_NAME)} {said}".strip()
    return f"{said}, {place_text(own, CALLED_AT)}" if own else said


def told_location(told: Mapping[str, Any]) -> Location:
    """Return the place that a row, or what is said of a cause, tells; what is odd is left out."""
    return _told(told, "")


def told_own(told: Mapping[str, Any]) -> Location | None:
    """Return the line of our own that a row, or what is said of a cause, tells beside its place."""
    found = _told(told, "own_")
    return found if found.file else None


def location_of(frame: FrameFound) -> Location:
    """Return the line that a frame is at."""
    return Location(file=frame.file, line=frame.line, function=frame.function)


def innermost(frames: Sequence[FrameFound], location: Location | None) -> FrameFound | None:
    """Return the frame that a location is of, the innermost first; None where there is none."""
    spot = (location.file, location.line) if location else None
    return next((one for one in reversed(frames) if (one.file, one.line) == spot), None)


def how_known(place: str) -> str:
    """Say how exactly a place is known, where it is not the very line that raised."""
    return _HOW_KNOWN.get(place, "")


def _told(told: Mapping[str, Any], prefix: str) -> Location:
    file, line, function = (told.get(f"{prefix}{name}") for name in ("file", "line", "function"))
    return Location(
        file=file if isinstance(file, str) else "",
        line=line if type(line) is int else 0,
        function=function if isinstance(function, str) else "",
    )
