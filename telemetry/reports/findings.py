"""What an investigation finds: a value that is printed as text, Markdown, HTML or JSON.

The JSON is this value as it stands; the schema in `docs` is made from these classes.
Times are ISO 8601 in UTC with microseconds, durations milliseconds; "" and None stand for what the
record does not hold.
"""

from typing import Any, Literal

import msgspec

from telemetry.reports.company import (
    AttemptFound,
    DifferenceFound,
    LastGoodFound,
    RelativeFound,
    SameFailureFound,
    TaskFound,
)
from telemetry.reports.headway import LoopFound, StageFound, StepsFound
from telemetry.reports.moments import TimelineFound

Verdict = Literal["ruled out", "confirmed", "not decidable"]


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A line of code."""

    file: str
    line: int
    function: str


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of source as it was when the frame was recorded."""

    number: int
    text: str


class FrameFound(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a stack, the outermost first; `locals` as they were snapshotted."""

    file: str
    line: int
    function: str
    locals: dict[str, Any]
    module: str = ""
    in_app: bool = False
    source: list[SourceLine] = []


class ExceptionFound(msgspec.Struct, frozen=True, kw_only=True):
    """One exception of a chain; `relation` to the one before it: "cause", "context", "member".

    One that was "handled before" was not in hand when the failure was raised; it is behind it.
    """

    type: str
    module: str
    message: str
    relation: str
    frames: list[FrameFound]


class ValueFound(msgspec.Struct, frozen=True, kw_only=True):
    """A value that decided the failing line, and where it came from as far as the record knows."""

    name: str
    value: Any
    origin: str


class RootCauseFound(msgspec.Struct, frozen=True, kw_only=True):
    """The innermost exception behind a failure, and where it was raised.

    `relation` is "cause" or "context" for the last link of the failure's own chain; else it was
    "handled before", and `known_by` says how it is known to be behind the failure. `own` is as it
    is of a failure.
    """

    type: str
    message: str
    relation: str
    place: str
    location: Location
    known_by: str = ""
    expression: str = ""
    own: Location | None = None


class FailureFound(msgspec.Struct, frozen=True, kw_only=True):
    """What failed and where; `place` says how exactly the line is known.

    Where that line is a library's, `own` is the line of the worker's own code, or of the engine's
    checkout, that called it. `values` are of the root cause's lines where the failure's own line
    names none.
    """

    kind: str
    type: str
    message: str
    sentence: str
    place: str
    location: Location
    stage: str
    at: str
    expression: str
    values: list[ValueFound]
    frames: list[FrameFound]
    chain: list[ExceptionFound]
    fingerprint: str
    handled: bool
    caused_by: dict[str, Any]
    signal: str
    exit_code: int | None
    last_words: list[str]
    root: RootCauseFound | None = None
    own: Location | None = None


class ParamFound(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter: what was used and asked, the model's default, and the layer that won."""

    name: str
    value: Any
    asked: Any
    default: Any
    source: str


class GapFound(msgspec.Struct, frozen=True, kw_only=True):
    """Records that are known to be missing: sequence numbers `first` to `last` of `process`."""

    process: str
    first: int
    last: int


class CompletenessFound(msgspec.Struct, frozen=True, kw_only=True):
    """What the record holds. `begun` spans have begun, `arrived` of them have an end in the record.

    `cut_off` spans ended with their process, `open` are at work, and of `unended` the end is not in
    the record; `lost` records are missing, by sequence number;
    `damaged_bytes` are no record. `says` is the conclusion in one sentence, and `unknown` names
    what the source of the record cannot know.
    """

    source: str
    begun: int
    arrived: int
    cut_off: int
    open: int
    lost: int
    damaged_bytes: int
    complete: bool
    says: str
    gaps: list[GapFound] = []
    unknown: list[str] = []
    unended: int = 0


class HypothesisFound(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that people would suspect, what the record says of it, and by which fact."""

    name: str
    verdict: Verdict
    evidence: str


class LinksFound(msgspec.Struct, frozen=True, kw_only=True):
    """Where else to look; "" where no address is configured."""

    trace_id: str
    sentry_event_id: str
    jaeger: str = ""
    sentry: str = ""
    task: str = ""
    report: str = ""


class DefaultsFound(msgspec.Struct, frozen=True, kw_only=True):
    """The model's defaults as the engine gave them, digested before and after the loop."""

    call: str
    type: str
    count: int
    values: dict[str, Any]
    digest_before: str
    digest_after: str


class LoraFound(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA and its multiplier as it was asked."""

    name: str
    multiplier: str


class ModelFound(msgspec.Struct, frozen=True, kw_only=True):
    """What was generated with: model and engine, size, frames, steps, phases and LoRAs.

    `phase_config` is as it was asked, {} where there was none; `key_params` are those that people
    look at first, by name.
    """

    name: str
    engine: str
    resolution: str
    frames: int | None
    steps: int | None
    phases: int | None
    loras: list[LoraFound]
    phase_config: dict[str, Any] = {}
    key_params: dict[str, Any] = {}


class EnvironmentFound(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran: versions of what was imported, the device, the host."""

    host: str
    loop26: str
    facts: dict[str, Any]


class ReplayFound(msgspec.Struct, frozen=True, kw_only=True):
    """What `loop26 replay` saw when it ran the task again in a fresh process.

    `same` is whether it failed with the same fingerprint; `says` is that in one sentence.
    """

    at: str
    same: bool
    says: str


class Investigation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is found of one task; `failure` is None for one that did not fail.

    `asked` is the id that was asked for; `task` may be another: the one at the root of it. `says`
    is the answer in one sentence. `tasks` are all that are involved, `task` among them. `previous`
    is the failure before this one, of any kind, and `against_previous` how it compares with it.
    `attempts` are all at this task, the newest first.
    """

    task: TaskFound
    asked: str
    says: str
    failure: FailureFound | None
    loop: LoopFound
    steps: StepsFound
    stages: list[StageFound]
    params: list[ParamFound]
    completeness: CompletenessFound
    hypotheses: list[HypothesisFound]
    relatives: list[RelativeFound]
    same_failure: list[SameFailureFound]
    last_good: LastGoodFound | None
    model: ModelFound
    defaults: DefaultsFound
    environment: EnvironmentFound
    timeline: TimelineFound
    tasks: list[TaskFound]
    previous: SameFailureFound | None
    against_previous: list[DifferenceFound]
    links: LinksFound
    next_steps: list[str]
    replay: str
    replayed: ReplayFound | None = None
    attempts: list[AttemptFound] = []
