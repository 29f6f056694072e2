"""Draws a timeline as a picture (SVG): lanes of bars, GPU memory, the moment of the failure.

Across, everything is in percent and the text is not scaled: the picture is as wide as its page.
It needs no script; what a bar says when pointed at is its `<title>`.
"""

import math
from collections.abc import Sequence
from typing import Final

from telemetry.reports.html.lanes import Drawn, Lane, lanes
from telemetry.reports.html.markup import Content, Html, join, tag
from telemetry.reports.html.scale import Scale, usable
from telemetry.reports.moments import SampleFound, TimelineFound
from telemetry.reports.wording import duration, size

_HEAD: Final = 26  # above the lanes: what the marked line says
_SECOND: Final = 17  # above them, too: what a second one says
_BARE: Final = 4  # the same, where there is no such line
_TITLE: Final = 19
_ROW: Final = 22
_BAR: Final = 18
_MEMORY: Final = 54
_AXIS: Final = 24
_GAP: Final = 7
_ENDS: Final = {"failed": "failed", "cut off": "cut-off", "open": "open", "unknown": "unknown"}
_MEANT: Final = {
    "failed": "failed",
    "cut-off": "cut off by a death",
    "open": "at work",
    "unknown": "its end is not in the record",
}
_THIN: Final = 0.4  # percent: narrower bars have no edge
_THINNEST: Final = 0.12  # percent: a bar that took no time is seen all the same
_WIDE_PX, _NARROW_PX = 900, 320  # how wide the picture is at the least on a desk and on a phone
_LETTER_PX: Final = 6.9
_RECORD_ENDS: Final = "the record ends here"
_Place = dict[str, str | int]
_MOST_POINTS: Final = 240
_MIDDLE: Final = 50.0


def svg(
    timeline: TimelineFound,
    scale: Scale,
    *,
    label: str,
    failed_as: str = "failed",
    marked: Scale | None = None,
) -> Html:
    """Return the picture of a timeline on a scale, which may be that of another timeline.

    Args:
        timeline: What is drawn.
        scale: The window of time.
        label: What the picture shows, for those who do not see it.
        failed_as: What the marked line is called: "failed", "died".
        marked: A window that another picture shows in detail.
    """
    marks = _marks(timeline, scale, failed_as)
    top = _HEAD + _SECOND * (len(marks) - 1) if marks else _BARE
    drawn, y = _lanes(lanes(timeline, scale), scale, top)
    memory, y = _memory(timeline.memory_bytes, scale, y)
    return tag(
        "svg",
        _window(marked, scale, top, y) if marked else None,
        _axis(scale, top, y),
        drawn,
        memory,
        (_marked_line(*one, scale, number, y) for number, one in enumerate(marks)),
        class_="timeline",
        role="img",
        aria_label=label,
        width="100%",
        height=y + _AXIS,
    )


def legend(timeline: TimelineFound, failed_as: str = "failed") -> Html | None:
    """Say what the colours and lines of a picture stand for that are not those of what went well.

    Args:
        timeline: What is drawn.
        failed_as: As of `svg`.
    """
    ends = {_ENDS.get(bar.ended, "") for bar in timeline.bars}
    entries = [(kind, said) for kind, said in _MEANT.items() if kind in ends]
    if timeline.record_ends_ms is not None:
        entries.append(("record-end", f"{_RECORD_ENDS}: not where it {failed_as}"))
    if timeline.failed_by == "row":
        entries.append(("by-row", f"{failed_as}, by the queue's row: the record does not have it"))
    shown = [tag("li", tag("span", class_=f"swatch {kind}"), said) for kind, said in entries]
    return tag("ul", shown, class_="legend") if shown else None


def _lanes(shown: Sequence[Lane], scale: Scale, top: int) -> tuple[Html, int]:
    """Return the lanes as markup, and where they end."""
    parts: list[Content] = []
    y = top
    for lane in shown:
        parts.append(_text(lane.title, 0, y + 12, class_="lane"))
        y += _TITLE
        for row in lane.rows:
            parts += [_bar(one, lane.kind, scale, y) for one in row]
            y += _ROW
        y += _GAP
    return join(parts), y


def _bar(drawn: Drawn, kind: str, scale: Scale, y: int) -> Html:
    x = scale.across(drawn.first.start_ms)
    width = max(_THINNEST, scale.across(drawn.end_ms) - x)
    x = min(x, 100 - _THINNEST)
    place: _Place = {"x": f"{x:.3f}%", "y": y, "width": f"{width:.3f}%", "height": _BAR}
    return tag(
        "g",
        tag("title", drawn.title),
        tag("rect", rx=2, **place),
        _bar_label(drawn.label, width, place),
        class_=f"bar {kind} {_ENDS.get(drawn.ended, 'ok')}{' thin' if width < _THIN else ''}",
    )


def _bar_label(label: str, width: float, place: _Place) -> Html | None:
    """Return what stands in a bar, where it has room: on every screen, or on a wide one."""
    needed = len(label) * _LETTER_PX + 12
    if needed > width / 100 * _WIDE_PX:
        return None
    always = needed <= width / 100 * _NARROW_PX
    text = tag("text", label, x=6, y=13)
    return tag("svg", text, class_="in-bar" if always else "in-bar roomy", **place)


def _memory(samples: Sequence[SampleFound], scale: Scale, y: int) -> tuple[Html | None, int]:
    """Return the line of GPU memory between the first and the last sample, and where it ends."""
    seen = [
        one for one in samples if _within(one.at_ms, scale) is not None and math.isfinite(one.value)
    ]
    if not seen:
        return None, y
    peak = max(seen, key=lambda one: one.value)
    title = f"GPU memory, peak {size(peak.value)}"
    top = y + _TITLE
    points = [
        (scale.across(one.at_ms) * 10, 100 - 92 * max(0.0, one.value) / (max(peak.value, 1.0)))
        for one in _thinned(sorted(seen, key=lambda one: one.at_ms))
    ]
    line = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
    area = f"{points[0][0]:.1f},100 {line} {points[-1][0]:.1f},100"
    plot = tag(
        "svg",
        tag("polyline", points=area, class_="area"),
        tag("polyline", points=line, class_="line", vector_effect="non-scaling-stroke"),
        viewBox="0 0 1000 100",
        preserveAspectRatio="none",
        x=0,
        y=top,
        width="100%",
        height=_MEMORY,
    )
    told = f"{title} at {duration(peak.at_ms)}, {len(seen):,} samples"
    parts = (tag("title", told), plot, _dots(seen, peak.value, scale, top))
    lane = join((_text(title, 0, y + 12, class_="lane"), tag("g", parts, class_="memory")))
    return lane, top + _MEMORY


def _dots(samples: Sequence[SampleFound], peak: float, scale: Scale, top: int) -> Html | None:
    """Mark each sample, where they are few."""
    if len(samples) > 60:  # noqa: PLR2004 - more would be a line
        return None
    return join(
        tag(
            "circle",
            tag("title", f"{size(one.value)} at {duration(one.at_ms)}"),
            cx=f"{scale.across(one.at_ms):.3f}%",
            cy=round(top + _MEMORY * (1 - 0.92 * max(0.0, one.value) / max(peak, 1.0)), 1),
            r=2.5,
        )
        for one in samples
    )


def _thinned(samples: list[SampleFound]) -> list[SampleFound]:
    """Keep the highest of each stretch: the peaks are what one looks for."""
    each = math.ceil(len(samples) / _MOST_POINTS)
    stretches = (samples[at : at + each] for at in range(0, len(samples), each))
    return [max(stretch, key=lambda one: one.value) for stretch in stretches]


def _axis(scale: Scale, top: int, y: int) -> Html:
    parts: list[Content] = [tag("line", x1="0", x2="100%", y1=y, y2=y, class_="base")]
    for number, tick in enumerate(scale.ticks()):
        x = scale.across(tick)
        lines = tag("line", x1=f"{x:.3f}%", x2=f"{x:.3f}%", y1=top, y2=y + 4, class_="grid")
        spare = "tick spare" if number % 2 else "tick"
        parts += [lines, _text(scale.label(tick), x, y + 17, class_=spare, centred=True)]
    return join(parts)


def _window(window: Scale, scale: Scale, top: int, y: int) -> Html:
    x = scale.across(window.start_ms)
    width = max(_THINNEST, scale.across(window.end_ms) - x)
    place: _Place = {
        "x": f"{x:.3f}%",
        "y": top - 4,
        "width": f"{width:.3f}%",
        "height": y - top + 4,
    }
    return tag("rect", rx=3, class_="window", **place)


def _within(ms: float | None, scale: Scale) -> float | None:
    """Return a moment that is in the window, else None."""
    seen = ms is not None and usable(ms) and scale.shows(ms, ms)
    return ms if seen else None


def _marks(timeline: TimelineFound, scale: Scale, failed_as: str) -> list[tuple[float, str, str]]:
    """Return the moments that a line marks, what it says, and its class."""
    found = []
    if (failed_ms := _within(timeline.failed_ms, scale)) is not None:
        by_row = ", by the queue's row" if timeline.failed_by == "row" else ""
        said = f"{failed_as} at {duration(failed_ms)}{by_row}"
        found.append((failed_ms, said, f"failure{' by-row' if by_row else ''}"))
    if (ends_ms := _within(timeline.record_ends_ms, scale)) is not None:
        found.append((ends_ms, _RECORD_ENDS, "record-end"))
    return found


def _marked_line(at_ms: float, said: str, class_: str, scale: Scale, row: int, y: int) -> Html:
    x = scale.across(at_ms)
    after = x <= _MIDDLE
    sign = "\N{BLACK DOWN-POINTING TRIANGLE}"
    line = tag("line", x1=f"{x:.3f}%", x2=f"{x:.3f}%", y1=_HEAD - 8 + row * _SECOND, y2=y + 4)
    label = tag(
        "text",
        f"{sign} {said}" if after else f"{said} {sign}",
        x=f"{x:.3f}%",
        y=12 + row * _SECOND,
        dx=-5 if after else 5,
        text_anchor="start" if after else "end",
    )
    return tag("g", tag("title", said), line, label, class_=class_)


def _text(text: str, x: float, y: int, *, class_: str, centred: bool = False) -> Html:
    """Return a text; one at an end of the picture stays within it."""
    anchor = "start" if not centred or x < 4 else "end" if x > 96 else "middle"  # noqa: PLR2004 - percent
    return tag("text", text, x=f"{x:.3f}%", y=y, class_=class_, text_anchor=anchor)
