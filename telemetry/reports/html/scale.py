"""The scale of a picture of time: where a moment stands across it, and the ticks of its axis."""

import math
from dataclasses import dataclass
from typing import Final

from telemetry.reports.moments import BarFound, TimelineFound

_MOST_TICKS: Final = 6
_ROOM: Final = 0.04  # of the length is left free behind what is shown
_STEPS_MS: Final = (
    *(10.0**power * step for power in range(-3, 3) for step in (1, 2, 5)),
    *(1000.0 * step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800)),
)
_HOUR_MS: Final = 3_600_000.0
_LEAST_MS: Final = 0.01
_LONGEST_MS: Final = 1e12  # some thirty years
# What a picture around the failure shows at the most of the whole: else it adds nothing.
_WORTH_IT: Final = 0.4
_SHORT_WINDOW: Final = 12  # spans before the failure, where its stage fills the whole timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A window of time, in milliseconds from the timeline's begin; ticks count from `zero_ms`."""

    start_ms: float
    end_ms: float
    zero_ms: float = 0.0

    @property
    def length_ms(self) -> float:
        """How long the window is."""
        return self.end_ms - self.start_ms

    def across(self, ms: float) -> float:
        """Return where a moment stands, in percent of the width; within 0 and 100."""
        return min(100.0, max(0.0, (ms - self.start_ms) / self.length_ms * 100))

    def shows(self, start_ms: float, end_ms: float) -> bool:
        """Whether a part of a span is in the window."""
        return start_ms <= self.end_ms and end_ms >= self.start_ms

    def ticks(self) -> list[float]:
        """Return moments at round distances from zero."""
        step = self._step()
        first = math.ceil((self.start_ms - self.zero_ms) / step - 1e-9)
        last = math.floor((self.end_ms - self.zero_ms) / step + 1e-9)
        return [self.zero_ms + number * step for number in range(first, last + 1)]

    def label(self, tick_ms: float) -> str:
        """Write a tick as its distance from zero, in the unit that suits the axis."""
        step, at = self._step(), tick_ms - self.zero_ms
        if abs(at) < step / 2:
            return "0"
        sign = "+" if self.zero_ms and at > 0 else "\N{MINUS SIGN}" if at < 0 else ""
        return f"{sign}{_short(abs(at), step)}"

    def _step(self) -> float:
        wanted = self.length_ms / _MOST_TICKS
        hours = math.ceil(wanted / _HOUR_MS) * _HOUR_MS
        return next((step for step in _STEPS_MS if step >= wanted), hours)


def whole(*timelines: TimelineFound) -> Scale:
    """Return the scale on which all of these timelines fit, from their begin."""
    ends = [0.0]
    for timeline in timelines:
        known = (timeline.failed_ms or 0.0, timeline.record_ends_ms or 0.0)
        moments = [timeline.length_ms, *known]
        ends += [at for at in (*moments, *(bar.end_ms for bar in timeline.bars)) if usable(at)]
    return Scale(start_ms=0.0, end_ms=max(_LEAST_MS, max(ends) * (1 + _ROOM)))


def steps(timeline: TimelineFound) -> Scale | None:
    """Return the scale of the denoising steps; None where the whole shows them well."""
    drawn = [bar for bar in timeline.bars if bar.kind == "step"]
    moments = [at for bar in drawn for at in (bar.start_ms, bar.end_ms) if usable(at)]
    if not moments:
        return None
    start_ms, end_ms = min(moments), max(moments)
    room = max((end_ms - start_ms) * _ROOM, _LEAST_MS)
    window = Scale(start_ms=start_ms - room, end_ms=end_ms + room)
    return window if window.length_ms < _WORTH_IT * whole(timeline).length_ms else None


def around_failure(timeline: TimelineFound) -> Scale | None:
    """Return the scale of what came just before the failure; None where the whole shows it well.

    It is the stage that failed; where that fills the timeline, the last spans before the failure.
    """
    failed_ms = timeline.failed_ms
    if failed_ms is None or not usable(failed_ms):
        return None
    for start_ms in _starts(timeline, failed_ms):
        room = max((failed_ms - start_ms) * _ROOM, _LEAST_MS)
        window = Scale(start_ms=start_ms - room, end_ms=failed_ms + room, zero_ms=failed_ms)
        if window.length_ms < _WORTH_IT * whole(timeline).length_ms:
            return window
    return None


def usable(ms: float) -> bool:
    """Whether a clock can have measured it; a record that someone made may say anything."""
    return math.isfinite(ms) and abs(ms) < _LONGEST_MS


def _starts(timeline: TimelineFound, failed_ms: float) -> list[float]:
    before = [bar for bar in timeline.bars if usable(bar.start_ms) and bar.start_ms < failed_ms]
    stages = [
        bar for bar in before if bar.kind == "stage" and bar.end_ms >= failed_ms - _slack(bar)
    ]
    small = sorted(bar.start_ms for bar in before if bar.kind not in ("stage", "process", "queue"))
    found = [max(bar.start_ms for bar in stages)] if stages else []
    return found + small[-_SHORT_WINDOW:][:1]


def _slack(bar: BarFound) -> float:
    """Return by how much a stage may have ended before the failure was written down."""
    return max(1.0, (bar.end_ms - bar.start_ms) * _ROOM)


def _short(ms: float, step: float) -> str:
    if step >= _HOUR_MS:
        return f"{ms / _HOUR_MS:g} h"
    if step >= 60_000:  # noqa: PLR2004 - a minute
        return f"{ms / 60_000:g} min"
    if step >= 1000:  # noqa: PLR2004 - a second
        return f"{ms / 1000:g} s"
    if step >= 1:
        return f"{ms:.0f} ms"
    return f"{ms * 1000:.0f} µs"
