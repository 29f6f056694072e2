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
    """One span as the picture of the timeline shows it; milliseconds from the timeline's start.

    `ended`: "ok", "failed", "cut off" by a death, "open" (at work: its process lives), "unknown":
    its end is not in the record. Of that one `end_ms` is when its process is last known to have
    written in it: at the latest its last record that arrived.
    """

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
    """The attempt, from its begin; `failed_ms` is the moment of the failure or death.

    `failed_by` says who tells that moment: "record", "row" (the queue's row alone knows it: when
    the task was returned), "" without one. `record_ends_ms` is the last record that arrived of a
    process that is dead and left no end: where the record ends, and not where it failed.
    """

    began: str
    length_ms: float
    failed_ms: float | None
    bars: list[BarFound]
    memory_bytes: list[SampleFound]
    around: list[MomentFound]
    failed_by: str = ""
    record_ends_ms: float | None = None
