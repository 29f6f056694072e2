"""What an investigation finds in time: the picture of an attempt, and what is around its end."""

import msgspec


class MomentFound(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline around the failure: a span's begin or end, a log, an error."""

    at: str
    offset_ms: float
    kind: str
    text: str
    process: str = ""


class BarFound(msgspec.Struct, frozen=True, kw_only=True):
    """One span as the picture of the timeline shows it; milliseconds from the timeline's start."""

    name: str
    kind: str
    label: str
    start_ms: float
    end_ms: float
    depth: int
    ended: str


class SampleFound(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement at a moment of the timeline."""

    at_ms: float
    value: float


class TimelineFound(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt, from its begin; `failed_ms` is the moment of the failure or death."""

    began: str
    length_ms: float
    failed_ms: float | None
    bars: list[BarFound]
    memory_bytes: list[SampleFound]
    around: list[MomentFound]
