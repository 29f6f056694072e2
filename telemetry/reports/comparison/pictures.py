"""Draws the timelines of two tasks under each other: whole, and around their failures."""

from typing import Final

from telemetry.reports.comparison.value import Comparison, SideFound
from telemetry.reports.html import timeline
from telemetry.reports.html.markup import Html, tag
from telemetry.reports.html.parts import Section, moment, muted, section
from telemetry.reports.html.scale import Scale, around_failure, whole
from telemetry.reports.wording import cut, duration

_FAILED_AS: Final = {"death": "died", "hang": "hung"}


def pictures(found: Comparison) -> Section:
    """Return both timelines on one scale, and once more around the failures where both failed."""
    sides = [(name, side) for name, side in (("A", found.a), ("B", found.b))]
    drawn = [side.timeline for _, side in sides if side.timeline.bars]
    if not drawn:
        none = muted("Nothing is recorded of either attempt that could be drawn.")
        return section("timeline", "Timelines", none)
    scale = whole(*drawn)
    figures = [_figure(name, side, scale) for name, side in sides]
    near = _near(found)
    if near:
        length = duration(near[0].length_ms)
        said = f"The same around the failures, {length} of each; times count from the failure."
        figures.append(tag("p", said))
        figures += [
            _figure(name, side, window, near=True)
            for (name, side), window in zip(sides, near, strict=True)
        ]
    one_scale = muted("Both from their begin, on one scale.")
    return section("timeline", "Timelines", one_scale, figures)


def _figure(name: str, side: SideFound, scale: Scale, *, near: bool = False) -> Html:
    drawn, task = side.timeline, side.task
    named = (tag("b", name), f" {cut(task.type, 60)} ", tag("code", task.id[:8]))
    if not drawn.bars:
        none = muted("Nothing is recorded of it that could be drawn.")
        return tag("figure", tag("figcaption", named), none, class_="drawing")
    length = f": {duration(drawn.length_ms)} from "
    what = (": around the failure",) if near else (length, moment(drawn.began))
    failed_as = _FAILED_AS.get(side.crash.failure.kind, "failed") if side.crash else "failed"
    picture = timeline.svg(
        drawn, scale, label=cut(f"Timeline of {name}. {side.says}", 600), failed_as=failed_as
    )
    meant = None if near else timeline.legend(drawn, failed_as)
    return tag("figure", tag("figcaption", named, what), meant, picture, class_="drawing")


def _near(found: Comparison) -> list[Scale]:
    """Return windows of one length around both failures; [] where that shows nothing more."""
    failed = [side.timeline.failed_ms for side in (found.a, found.b)]
    windows = [around_failure(side.timeline) for side in (found.a, found.b)]
    known = [one for one in windows if one is not None]
    moments = [one for one in failed if one is not None]
    if not known or len(moments) < len(failed):
        return []
    before = max(one.zero_ms - one.start_ms for one in known)
    after = max(one.end_ms - one.zero_ms for one in known)
    return [Scale(start_ms=at - before, end_ms=at + after, zero_ms=at) for at in moments]
