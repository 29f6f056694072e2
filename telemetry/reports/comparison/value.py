"""What comparing two tasks finds: a value that is printed as text, Markdown, HTML or JSON.

The two are `a` and `b`, as the command line names them. Times are ISO 8601 in UTC with
microseconds, durations milliseconds. What a side does not know is named in `unknown`: None is a
value like any other.
"""

from typing import Any, Final, Literal

import msgspec

from telemetry.reports.company import TaskFound
from telemetry.reports.findings import CompletenessFound, FailureFound
from telemetry.reports.headway import LoopFound, StepsFound
from telemetry.reports.moments import MomentFound, TimelineFound

Side = Literal["a", "b"]
SIDES: Final[tuple[Side, Side]] = ("a", "b")
Alike = Literal[
    "the same failure",
    "different failures",
    "one failed",
    "significant differences",
    "no significant difference",
    "not decidable",
]


class ComparedFound(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of both tasks.

    `unknown` are the sides that do not know it: nothing is concluded from those. `matters` is
    whether it differs in a way that can have to do with how the tasks ended; `why` says how it
    differs, or why that does not matter.
    """

    name: str
    a: Any
    b: Any
    unknown: list[Side] = []
    differs: bool = False
    matters: bool = False
    why: str = ""


class ParamSide(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of one task: its value and that one's type, and the layer that decided it.

    `source` is "" for one that had not been decided.
    """

    value: Any
    type: str
    asked: Any
    default: Any
    source: str


class ParamCompared(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of both tasks at the point where they ended; None where a side has none."""

    name: str
    a: ParamSide | None
    b: ParamSide | None
    unknown: list[Side] = []
    differs: bool = False
    matters: bool = False
    why: str = ""


class TimingCompared(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took; `ratio` is b's time by a's, where both went to their end."""

    name: str
    a_ms: float | None
    b_ms: float | None
    ratio: float | None
    matters: bool = False
    why: str = ""


class CrashPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a task failed, and what came before it.

    `last` is the last record before the failure that is not of the failure itself, and `since_ms`
    the time between; `pattern` says both in one sentence. `around` are the records around it.
    """

    failure: FailureFound
    raised: str
    last: MomentFound | None
    since_ms: float | None
    pattern: str
    around: list[MomentFound]


class SideFound(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two tasks; `asked` is the id that was asked for, `recorded` whether any is."""

    task: TaskFound
    asked: str
    says: str
    recorded: bool
    crash: CrashPoint | None
    loop: LoopFound
    steps: StepsFound
    completeness: CompletenessFound
    timeline: TimelineFound


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """A record at which the two runs are not alike.

    `kind` is "stage", "iteration", "parameter", "engine", "step", "failure" or "end"; `where` names
    the record, and `field` what of it differs, "" where only one side has such a record at that
    point: then the ways part there. `a_ms`, `b_ms` are from the begin of the attempt.
    """

    kind: str
    where: str
    field: str
    a: Any
    b: Any
    a_ms: float | None
    b_ms: float | None
    says: str
    parts: bool = False


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that is found by comparing two tasks.

    `says` is the answer in one sentence. `divergences` are in the order of the attempts: the first
    is the first record at which the runs are not alike, the last perhaps that at which their ways
    part. `caveats` say what of that the records do not carry. `matters` are the names of what
    differs and matters, by section; "layers" are the parameters of the same value from another.
    """

    alike: Alike
    says: str
    a: SideFound
    b: SideFound
    divergences: list[Divergence]
    caveats: list[str]
    matters: dict[str, list[str]]
    lifecycle: list[ComparedFound]
    crash: list[ComparedFound]
    asked: list[ComparedFound]
    params: list[ParamCompared]
    defaults: list[ComparedFound]
    timings: list[TimingCompared]
    environment: list[ComparedFound]
