"""The picture of a timeline: where things stand, what is drawn as one, what is left out."""

import re
from typing import Any

import msgspec
import pytest

from telemetry.reports.html import timeline
from telemetry.reports.html.lanes import Drawn, lanes
from telemetry.reports.html.scale import Scale, around_failure, steps, whole
from telemetry.reports.moments import BarFound, SampleFound, TimelineFound
from tests.telemetry.reports import sample

SECOND = 1000.0
MINUTE = 60 * SECOND


def bar(start_ms: float, end_ms: float, kind: str = "iteration", **changes: Any) -> BarFound:
    """Return a bar of a kind."""
    facts = {"name": kind, "label": "", "depth": 1, "ended": "ok", **changes}
    return BarFound(kind=kind, start_ms=start_ms, end_ms=end_ms, **facts)


def drawn_in(found: TimelineFound, scale: Scale) -> list[Drawn]:
    """Return all that is drawn on a scale."""
    return [one for lane in lanes(found, scale) for row in lane.rows for one in row]


def of(*bars: BarFound, failed_ms: float | None = None, **changes: Any) -> TimelineFound:
    """Return a timeline of these bars."""
    found = TimelineFound(
        began="2026-02-24T14:31:52.118204Z",
        length_ms=max((one.end_ms for one in bars), default=0.0),
        failed_ms=failed_ms,
        bars=list(bars),
        memory_bytes=[],
        around=[],
    )
    return msgspec.structs.replace(found, **changes)


def loaded_then_failed() -> TimelineFound:
    """Return four minutes of loading, then 32 iterations in a blink, then the failure."""
    begin = 248 * SECOND
    iterations = [bar(begin + number, begin + number + 0.5) for number in range(32)]
    stages = [
        bar(0, begin, "stage", name="stage model"),
        bar(begin, begin + 40, "stage", name="stage parameters", ended="failed"),
    ]
    return of(*stages, *iterations, failed_ms=begin + 40)


def test_what_is_too_narrow_to_be_told_apart_is_drawn_as_one_bar() -> None:
    """Which says how many it stands for."""
    found = loaded_then_failed()
    [together] = [one for one in drawn_in(found, whole(found)) if one.first.kind == "iteration"]
    assert together.count == 32
    assert together.title.startswith("32 spans")


def test_around_the_failure_each_iteration_has_its_own_bar() -> None:
    """The second picture is of the stage that failed."""
    found = loaded_then_failed()
    near = around_failure(found)
    assert near is not None
    assert near.length_ms < 50
    assert [one.count for one in drawn_in(found, near) if one.first.kind == "iteration"] == [1] * 32


def test_what_failed_is_never_drawn_together_with_what_went_well() -> None:
    """It is what one looks for."""
    found = of(bar(0, 1), bar(1, 2, ended="failed"), bar(2, 3), bar(0, 5 * MINUTE, "process"))
    ends = [one.ended for one in drawn_in(found, whole(found)) if one.first.kind == "iteration"]
    assert ends == ["ok", "failed", "ok"]


def test_a_failure_that_the_whole_shows_well_has_no_second_picture() -> None:
    """It would show the same."""
    found = of(bar(0, 100, "stage", ended="failed"), failed_ms=100)
    assert around_failure(found) is None


def test_a_stage_that_fills_the_timeline_is_shown_from_its_last_spans() -> None:
    """A death in the hundredth of hundred steps is seen among the last of them."""
    done = [bar(SECOND * n, SECOND * (n + 1), "step") for n in range(100)]
    found = of(bar(0, 100 * SECOND, "stage", ended="cut off"), *done, failed_ms=100 * SECOND)
    near = around_failure(found)
    assert near is not None
    assert 10 * SECOND < near.length_ms < 15 * SECOND


def test_the_steps_of_a_good_run_are_shown_closer() -> None:
    """Five seconds of them after four minutes of loading."""
    found = sample.healthy().timeline
    near = steps(found)
    assert near is not None
    drawn = drawn_in(found, near)
    assert [one.count for one in drawn if one.first.kind == "step"] == [1] * 6


def test_two_timelines_on_one_scale_have_the_same_moments_above_each_other() -> None:
    """So they can be compared."""
    short, long = of(bar(0, 100, "stage")), of(bar(0, 400, "stage"))
    scale = whole(short, long)
    widths = [
        float(re.findall(r'<rect[^>]*width="([\d.]+)%"', timeline.svg(one, scale, label=""))[0])
        for one in (short, long)
    ]
    assert widths[1] == pytest.approx(4 * widths[0], rel=1e-3)


def test_an_axis_has_a_handful_of_ticks_at_any_length() -> None:
    """From microseconds to weeks."""
    for exponent in range(-2, 10):
        scale = Scale(start_ms=0.0, end_ms=3.7 * 10.0**exponent)
        ticks = scale.ticks()
        assert 3 <= len(ticks) <= 8, scale
        assert len({scale.label(tick) for tick in ticks}) == len(ticks)


def test_ticks_around_a_failure_count_from_it() -> None:
    """Before it they are negative."""
    scale = Scale(start_ms=60.0, end_ms=104.0, zero_ms=100.0)
    labels = [scale.label(tick) for tick in scale.ticks()]
    assert labels == ["\u221240 ms", "\u221230 ms", "\u221220 ms", "\u221210 ms", "0"]


def test_the_failure_is_marked_in_the_picture() -> None:
    """Where it is not in the window it is not."""
    found = loaded_then_failed()
    assert 'class="failure"' in timeline.svg(found, whole(found), label="")
    before = Scale(start_ms=0.0, end_ms=100.0)
    assert 'class="failure"' not in timeline.svg(found, before, label="")


def test_memory_is_a_line_with_its_peak() -> None:
    """The peak is what one looks for; it survives the thinning of many samples."""
    samples = [SampleFound(at_ms=float(n), value=float(n == 617) * 2**30) for n in range(1000)]
    found = of(bar(0, 1000, "stage"), memory_bytes=samples)
    drawn = timeline.svg(found, whole(found), label="")
    assert "GPU memory, peak 1.0 GiB" in drawn
    [line] = re.findall(r'points="([^"]*)" class="line"', drawn)
    assert ",8.0" in line
    assert len(line.split()) <= 240


def test_depths_beyond_the_picture_are_counted() -> None:
    """They are left out, and that is known."""
    found = of(*(bar(0, 10, "engine", depth=depth) for depth in range(20)))
    [lane] = lanes(found, whole(found))
    assert len(lane.rows) == 6
    assert lane.left_out == 14


def test_times_that_no_clock_measured_are_not_drawn() -> None:
    """A record that someone made may say anything."""
    odd = [bar(number, number) for number in (float("nan"), float("inf"), 1e300)]
    found = of(bar(0, 10), *odd, failed_ms=float("nan"), length_ms=float("inf"))
    assert [one.first.end_ms for one in drawn_in(found, whole(found))] == [10]


def test_an_empty_timeline_can_be_drawn() -> None:
    """Next to one that is not."""
    assert timeline.svg(of(), whole(of()), label="nothing").startswith("<svg")
