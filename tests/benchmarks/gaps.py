"""Where the engine's time goes in a journey: busy, or idle for a cause, moment by moment."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telemetry import names
from telemetry.journal import JournalReader, process_directories
from telemetry.spans import Folder, Span

BUSY = "busy"
# What a span stands for; of two that are open at once, the one further up.
CAUSES = {
    names.engine("generate"): BUSY,
    names.receive("tasks"): "claim",
    names.stage("inputs"): "inputs",
    names.stage("parameters"): "parameters",
    names.stage("loras"): "LoRAs",
    names.stage("model"): "load",
    names.stage("generate"): "around the engine's call",
    names.stage("encode"): "encode",
    names.stage("output"): "output",
    # While another task is at one of these, that is what the engine waits for.
    "upload": "upload",  # the part of a settle in which the storage is spoken to
    names.settle("tasks"): "settle",
    names.process("travel_segment"): "between two processes",
}
BETWEEN = "between two tasks"
RANKS = {name: rank for rank, name in enumerate(CAUSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A part of the journey that a span, or the upload, takes; nanoseconds since the epoch."""

    name: str
    begin_ns: int
    end_ns: int


def recorded(spool: Path) -> list[Span]:
    """Read every span of a spool that has ended."""
    return [
        span
        for directory in process_directories(spool)
        for span in _ended(directory)
        if span.end_ns is not None
    ]


def _ended(directory: Path) -> Iterable[Span]:
    folder = Folder(keep_logs=False)
    for record in JournalReader(directory).read():
        yield from folder.feed(record)


def intervals(spans: Iterable[Span], uploads: Sequence[int]) -> list[Interval]:
    """Return what the spans that count take; in a settle, until the last arrival, the upload."""
    found = []
    for span in spans:
        if span.name not in CAUSES or span.end_ns is None:
            continue
        found.append(Interval(name=span.name, begin_ns=span.start_ns, end_ns=span.end_ns))
        within = [at for at in uploads if span.start_ns <= at <= span.end_ns]
        if span.name == names.settle("tasks") and within:
            found.append(Interval(name="upload", begin_ns=span.start_ns, end_ns=max(within)))
    return found


def by_cause(given: Sequence[Interval], begin_ns: int, end_ns: int) -> Mapping[str, int]:
    """Share out the time from begin to end, each moment to one cause; nanoseconds."""
    inside = [each for each in given if each.begin_ns < end_ns and each.end_ns > begin_ns]
    ends = {moment for each in inside for moment in (each.begin_ns, each.end_ns)}
    edges = sorted({begin_ns, end_ns} | {at for at in ends if begin_ns < at < end_ns})
    shared: Counter[str] = Counter()
    for begin, end in itertools.pairwise(edges):
        open_then = [each.name for each in inside if each.begin_ns <= begin and each.end_ns >= end]
        cause = CAUSES[min(open_then, key=RANKS.__getitem__)] if open_then else BETWEEN
        shared[cause] += end - begin
    return shared
