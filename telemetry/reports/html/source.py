"""Lines of source as a listing, with the failing one marked."""

from typing import Final

from telemetry.reports.findings import FrameFound, SourceLine
from telemetry.reports.html.markup import Content, Html, tag
from telemetry.reports.wording import cut

_MOST_LINES: Final = 40
_LONGEST: Final = 300
_TAB: Final = 4


def listing(frame: FrameFound, expression: str = "") -> Html:
    """Return the source lines of a frame; in its own line the expression is set off."""
    near = [one for one in frame.source if abs(one.number - frame.line) <= _MOST_LINES // 2]
    lines = [_line(one, frame.line, expression) for one in near]
    return tag("pre", tag("code", lines), class_="source", tabindex=0, role="group",
               aria_label=f"source of {cut(frame.file, 120)}")  # fmt: skip


def _line(line: SourceLine, failing: int, expression: str) -> Html:
    text = cut(line.text.expandtabs(_TAB), _LONGEST)
    number = tag("span", line.number, class_="number")
    if line.number != failing:
        return tag("span", number, tag("span", text, class_="text"), "\n", class_="line")
    inner = tag("span", _set_off(text, expression), class_="text")
    return tag("mark", number, inner, "\n", class_="line")


def _set_off(text: str, expression: str) -> Content:
    before, found, after = text.partition(expression) if expression else (text, "", "")
    return (before, tag("em", found), after) if found else text
