"""The records of a journal: what the body of each kind holds.

Bodies are MessagePack arrays in the order of the fields: a field may be added at the end with a
default, never moved, renamed in meaning or removed, so that old journals stay readable.
Identifiers are OpenTelemetry's, big-endian: trace ids 16 bytes, span ids 8. Times are
nanoseconds since the epoch. Attribute values are `str`, `int`, `float`, `bool` or a list of one
of these; what was None is in the form that `telemetry.names.NULL` describes.
"""

from enum import IntEnum
from typing import Any, TypeAlias

import msgspec


class Kind(IntEnum):
    """The kind byte of a record's frame."""

    SPAN_BEGIN = 1
    SPAN_UPDATE = 2
    SPAN_EVENT = 3
    SPAN_END = 4
    LOG = 5
    ERROR = 6
    METRIC = 7
    TASK_BEGIN = 8
    TASK_END = 9
    PROCESS_END = 10
    RAISED = 11


class SpanKind(IntEnum):
    """A span's kind, numbered as `opentelemetry.trace.SpanKind` is."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


class Status(IntEnum):
    """A span's status, numbered as `opentelemetry.trace.StatusCode` is."""

    UNSET = 0
    OK = 1
    ERROR = 2


Attributes: TypeAlias = dict[str, Any]


class SpanBegin(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A span has begun: all that is known of it then."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    name: str
    kind: int
    start_ns: int
    attributes: Attributes
    links: list[tuple[bytes, bytes, Attributes]] = []


class SpanUpdate(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What was set on an open span: attributes, later values win; a new name unless ""; links."""

    span_id: bytes
    attributes: Attributes
    name: str = ""
    links: list[tuple[bytes, bytes, Attributes]] = []


class SpanEvent(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """An event of an open span."""

    span_id: bytes
    name: str
    at_ns: int
    attributes: Attributes


class SpanEnd(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A span has ended, with the attributes that were set at its very end."""

    span_id: bytes
    end_ns: int
    status: int
    description: str = ""
    attributes: Attributes = {}


class Log(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One log record; severity is the number of OpenTelemetry's log data model (INFO = 9)."""

    at_ns: int
    severity: int
    logger: str
    message: str
    trace_id: bytes | None
    span_id: bytes | None
    attributes: Attributes


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a stack; `locals` are snapshots, see `telemetry.recorder.locals`."""

    file: str
    line: int
    function: str
    module: str = ""
    source: list[str] = []
    source_first_line: int = 0
    in_app: bool = False
    locals: dict[str, Any] = {}


class ExceptionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One exception of a chain; frames from the outermost to the one that raised."""

    type: str
    module: str
    message: str
    frames: list[Frame]
    relation: str = ""  # "cause", "context" or "member" of the exception before it in the chain


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """An exception, whole; or a death, as the supervisor found it (then `chain` may be empty).

    The loop position is that of the newest iteration begun in the task, 0 of 0 before the first.
    Where a library's frame raised, `own_file` and what follows it are the innermost of our own
    frames, which called it: see `telemetry.recorder.own_code`.

    Written as a MessagePack map, not an array: it is rare, large and read by people.
    """

    event_id: str  # 32 hex digits, the id of its Sentry event
    at_ns: int
    kind: str  # "exception", "death", "hang"
    chain: list[ExceptionFacts]
    type: str
    message: str
    file: str
    line: int
    function: str
    place: str  # how exactly it is known: "raised at", "stopped at", "opened at", "reported at"
    stage: str
    loop_index: int
    loop_count: int
    fingerprint: str
    trace_id: bytes | None
    span_id: bytes | None
    expression: str = ""  # the expression that was None, where it could be worked out
    handled: bool = False
    task_id: str = ""
    context: dict[str, Any] = {}
    own_file: str = ""
    own_line: int = 0
    own_function: str = ""

    @property
    def where(self) -> str:
        """The place in words: raised at a.py:1 in f, called at b.py:2 in g; "" of none."""
        if not self.file:
            return ""
        said = f"{self.place} {self.file}:{self.line} in {self.function}"
        own = f", called at {self.own_file}:{self.own_line} in {self.own_function}"
        return f"{said}{own}" if self.own_file else said


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """An exception has left the innermost span that it was raised in; where it ends, is open.

    `error` is what was taken down of it then, with the frames inside of that span alone. Where it
    is written as an error later, that has the same `event_id`, these frames as they are here, and
    those that it has left since. A MessagePack map, as `Error` is.
    """

    error: Error


class Metric(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One measurement."""

    at_ns: int
    name: str
    value: float
    unit: str
    attributes: Attributes


class TaskBegin(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """From here to its end, this process's records belong to this attempt at this task.

    `params` are the task's, clean; those of a task process alone, and {} where they are too large.
    """

    task_id: str
    attempt: int
    task_type: str
    trace_id: bytes
    worker_id: str
    at_ns: int
    params: dict[str, Any] = {}


class TaskEnd(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The attempt is over in this process; `outcome` is the outcome's class name."""

    task_id: str
    attempt: int
    at_ns: int
    outcome: str


class ProcessEnd(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The process's last record, by itself or, after its death, by the supervisor that found it.

    A reader closes every span that is still open here, as ERROR, with these facts.
    """

    at_ns: int
    kind: str  # "exit", "signal", "lost" (nobody saw it die), …; see `telemetry.death`
    signal: str = ""
    exit_code: int | None = None
    message: str = ""
    attributes: Attributes = {}


RECORD_TYPES: dict[Kind, type[msgspec.Struct]] = {
    Kind.SPAN_BEGIN: SpanBegin,
    Kind.SPAN_UPDATE: SpanUpdate,
    Kind.SPAN_EVENT: SpanEvent,
    Kind.SPAN_END: SpanEnd,
    Kind.LOG: Log,
    Kind.ERROR: Error,
    Kind.METRIC: Metric,
    Kind.TASK_BEGIN: TaskBegin,
    Kind.TASK_END: TaskEnd,
    Kind.PROCESS_END: ProcessEnd,
    Kind.RAISED: Raised,
}
