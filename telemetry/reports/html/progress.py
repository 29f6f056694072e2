"""How far it got and where the time went: the picture of the timeline, stages, loop, steps."""

from collections.abc import Sequence
from typing import Final

from telemetry.reports.findings import Investigation
from telemetry.reports.headway import IterationFound, LoopFound, StageFound, StepsFound
from telemetry.reports.html import timeline
from telemetry.reports.html.lanes import Lane, lanes
from telemetry.reports.html.markup import Content, Html, join, tag
from telemetry.reports.html.parts import (
    NOTHING,
    Section,
    facts,
    first_of,
    lasted,
    mark,
    moment,
    muted,
    row,
    section,
    table,
)
from telemetry.reports.html.scale import Scale, around_failure, steps, usable, whole
from telemetry.reports.sentences import ended_text, has_run
from telemetry.reports.wording import cut

_MOST_STAGES: Final = 60
_MOST_CELLS: Final = 100
_MOST_STEPS: Final = 200
_CELL, _COLUMN = 12, 40  # pixels high
_BETWEEN: Final = 0.6  # percent
_MOODS: Final = {"ok": "good", "failed": "bad", "cut off": "bad", "open": "open", "unknown": "open"}


def picture(found: Investigation) -> Section:
    """Return the timeline drawn whole, and once more around the failure where that shows more."""
    drawn = found.timeline
    if not drawn.bars:
        nothing = "Nothing is recorded of this attempt that could be drawn."
        none = muted(nothing if has_run(found) else "It has not run: there is nothing to draw.")
        return section("timeline", "Timeline", none)
    full = whole(drawn)
    near = around_failure(drawn) if found.failure else steps(drawn)
    failed_as = _failed_as(found)
    said = (f"The whole attempt: {lasted(drawn.length_ms)} from ", moment(drawn.began))
    picture_of_all = timeline.svg(
        drawn, full, label=_described(found), failed_as=failed_as, marked=near
    )
    figures = [_figure(said, timeline.legend(drawn, failed_as), picture_of_all)]
    if near is not None:
        label = _closer(near, full, failed=found.failure is not None)
        figures.append(_figure(label, timeline.svg(drawn, near, label=label, failed_as=failed_as)))
    told = _said_of(lanes(drawn, full))
    return section("timeline", "Timeline", figures, told)


def _closer(near: Scale, full: Scale, *, failed: bool) -> str:
    times = full.length_ms / near.length_ms
    larger = f"{lasted(near.length_ms)}, {times:,.0f} times as large as above"
    if failed:
        return f"Around the failure: {larger}; times count from the failure"
    return f"The denoising steps: {larger}"


def _figure(caption: Content, *drawn: Content) -> Html:
    return tag("figure", tag("figcaption", caption), drawn, class_="drawing")


def _failed_as(found: Investigation) -> str:
    match found.failure.kind if found.failure else "":
        case "death":
            return "died"
        case "hang":
            return "hung"
    return "failed"


def _described(found: Investigation) -> str:
    stages = ", ".join(f"{cut(one.name, 40)} {one.ended}" for one in found.stages[:12])
    return cut(f"Timeline of the attempt. Stages: {stages}. {found.says}", 600)


def _said_of(shown: Sequence[Lane]) -> Html | None:
    """Say which spans of the whole picture are not drawn one by one."""
    grouped, left_out = sum(one.grouped for one in shown), sum(one.left_out for one in shown)
    said = []
    if grouped:
        said.append(
            f"{grouped:,} spans are too narrow on the whole scale to be told apart there: "
            "neighbours are drawn as one bar, which says how many it stands for."
        )
    if left_out:
        said.append(f"{left_out:,} have no room and are not drawn.")
    return muted(" ".join(said)) if said else None


def progress(found: Investigation) -> Section:
    """Return stages, loop and steps; for a task that did not fail: where the time went."""
    least = "" if found.completeness.complete else "at least "
    title = "How far it got" if found.failure else "Where the time went"
    return section(
        "progress",
        title,
        _longest(found.stages) if not found.failure else None,
        _stages(found),
        tag("h3", "Parameter loop"),
        _loop(found.loop, least),
        tag("h3", "Denoising"),
        _steps(found.steps, least),
        short="Progress" if found.failure else "Time",
    )


def _longest(stages: Sequence[StageFound]) -> Html | None:
    total = sum(_ms(one) for one in stages)
    if not total:
        return None
    longest = max(stages, key=_ms)
    share = _ms(longest) / total
    return tag(
        "p",
        f"{cut(longest.name, 60)} took {lasted(_ms(longest))}, {share:.0%} of the "
        f"{lasted(total)} that all stages took together.",
    )


def _ms(stage: StageFound) -> float:
    return stage.ms if stage.ms is not None and usable(stage.ms) else 0.0


def _stages(found: Investigation) -> Html:
    stages = found.stages
    if not stages:
        return muted("No stage is recorded." if has_run(found) else "It has not run.")
    total = sum(_ms(one) for one in stages) or 1.0
    shown, word = first_of(stages, _MOST_STAGES, "stages")
    rows = [
        row(
            cut(one.name, 60),
            mark(cut(ended_text(one, found), 40), _MOODS.get(one.ended, "open")),
            NOTHING if one.ms is None else tag("span", lasted(_ms(one)), class_="figure"),
            _share(_ms(one) / total),
            moment(one.began),
        )
        for one in shown
    ]
    headings = ["Stage", "Ended", "Took", "Share", "Began"]
    return join((table(headings, rows, label="Stages", class_="stages"), word))


def _share(part: float) -> Html:
    width = f"{max(0.6, min(1.0, part) * 100):.1f}%"
    bar = (
        tag("rect", width="100%", height=8, rx=2),
        tag("rect", width=width, height=8, rx=2, class_="part"),
    )
    return tag(
        "svg", bar, class_="share", width=120, height=8, role="img", aria_label=f"{part:.0%}"
    )


def _loop(loop: LoopFound, least: str) -> Content:
    if not loop.total and not loop.completed:
        return muted("No iteration is recorded.")
    over = ": the loop had finished" if 0 < loop.total <= loop.completed else ""
    said = _ended(loop.completed, loop.total, f"iterations ended{over}", least)
    return (
        tag("p", said),
        _cells(loop.completed, loop.total),
        facts([("Last", _iteration(loop.last)), ("Slowest", _iteration(loop.slowest))], long=True),
    )


def _iteration(one: IterationFound | None) -> Content:
    if one is None:
        return None
    return (f"{one.index:,} ", tag("code", cut(one.key, 80)), f", {lasted(one.ms)}, ended ",
            moment(one.ended))  # fmt: skip


def _ended(done: int, total: int, what: str, least: str) -> str:
    said = f"{least}{done:,} of {total:,} {what}."
    return f"{said[:1].upper()}{said[1:]}"


def _cells(done: int, total: int, took: Sequence[float] = ()) -> Html | None:
    """Draw a cell for each, filled for those that are done, as high as what it took."""
    if not 0 < total <= _MOST_CELLS:
        return None
    height, most = (_COLUMN, max(took)) if took else (_CELL, 0.0)
    each = 100 / total
    cells = []
    for number in range(total):
        share = took[number] / most if most > 0 and number < len(took) else 1.0
        high = max(2.0, height * share) if number < done else 2.0 if took else height
        place: dict[str, str | float] = {"x": f"{number * each:.3f}%", "y": height - high}
        width = f"{max(each * 0.5, each - _BETWEEN):.3f}%"
        kind = "done" if number < done else "missing"
        cells.append(tag("rect", width=width, height=high, rx=2, class_=kind, **place))
    label = f"{done} of {total}"
    return tag(
        "svg", cells, class_="cells", width="100%", height=height, role="img", aria_label=label
    )


def _steps(found: StepsFound, least: str) -> Content:
    if not found.total and not found.completed:
        return muted("No step is recorded.")
    took = [ms for ms in found.ms if usable(ms)]
    pairs: list[tuple[str, Content]] = [("Phase", cut(found.phase, 60))]
    if took:
        each = ", ".join(lasted(ms) for ms in took[:_MOST_STEPS])
        middle = sorted(took)[len(took) // 2]
        pairs += [
            ("Median", lasted(middle)),
            ("Slowest", f"{lasted(max(took))} (step {took.index(max(took)) + 1:,})"),
            ("Each", each if len(took) <= _MOST_STEPS else f"{each}, …"),
        ]
    said = _ended(found.completed, found.total, "steps ended", least)
    return tag("p", said), _cells(found.completed, found.total, took), facts(pairs, long=True)
