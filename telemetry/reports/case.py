"""What an investigation is made from: a task's row and history, and what was recorded of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from telemetry.reports.company import AttemptFound, SameFailureFound
from telemetry.reports.findings import LinksFound, ReplayFound
from telemetry.reports.trace import TraceModel

_NUMBERS: Final = frozenset({"line", "own_line", "loop_index", "loop_count", "exit_code"})
_IDS: Final = frozenset({"event_id", "fingerprint", "trace_id", "span_id"})
_TABLES: Final = frozenset({"caused_by", "root_cause", "record", "death"})
_LISTS: Final = frozenset({"last_words", "open_spans"})
_SPAN_ID_DIGITS: Final = 16


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the queue, as any source tells it; times are ISO 8601, "" where it does not know.

    `error` is the row's own: the fields of the worker's failure, or {}. Other applications write
    rows, too, and strangers write black boxes: what is not of its form is taken out, whoever made
    the row.
    """

    id: str
    type: str
    status: str
    worker: str = ""
    attempt: int = 0
    parent_id: str = ""
    trace_id: str = ""
    span_id: str = ""  # of the newest attempt's process span
    created: str = ""
    claimed: str = ""
    returned: str = ""
    error_message: str = ""
    error: dict[str, Any] = {}
    params: dict[str, Any] = {}
    output: str = ""
    depends_on: list[str] = []

    def __post_init__(self) -> None:
        """Take out of it what is not of the form that it should be."""
        msgspec.structs.force_setattr(self, "error", well_formed(self.error))
        if not _is_span_id(self.span_id):
            msgspec.structs.force_setattr(self, "span_id", "")


class QueueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a task's history in the queue."""

    at_ns: int
    name: str
    data: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one investigation looks at.

    Attributes:
        asked: The id that was asked for, which may be an orchestrator's.
        task: The task that is investigated: the one that failed first.
        model: What was recorded of its journey; None where nothing is.
        source: Where the record comes from, for people: "the journal in <spool>".
        unknown: What such a source cannot know, a sentence each.
        events: The task's history in the queue; empty where the source has none.
        relatives: The other tasks of its journey.
        same: Other attempts that ended in a failure of the same fingerprint, newest first.
        good: The last task of the same type and model that went well, and its record: before this
            one failed, or where there is none, later.
        previous: The failure before this one, of any kind, and its record.
        replayed: What a replay of the task saw, where there was one.
        replay: The command that runs the task again.
        attempts: All attempts at the task, the newest first; empty where the source has none.
        failed_too: Of the relatives that fell with another by their rows, and failed by themselves
            all the same: the fingerprints of these failures, by the relatives' ids; "" of one whose
            failure is not in the record.
    """

    asked: str
    task: TaskRow
    model: TraceModel | None
    source: str
    links: LinksFound
    unknown: list[str] = field(default_factory=list)
    events: list[QueueEvent] = field(default_factory=list)
    relatives: list[TaskRow] = field(default_factory=list)
    same: list[SameFailureFound] = field(default_factory=list)
    good: tuple[TaskRow, TraceModel | None] | None = None
    previous: tuple[TaskRow, TraceModel | None] | None = None
    replayed: ReplayFound | None = None
    replay: str = ""
    attempts: list[AttemptFound] = field(default_factory=list)
    failed_too: dict[str, str] = field(default_factory=dict)


def well_formed(told: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a row, or the context of an error, tells of a failure, each fact of its form.

    Numbers are whole, ids and last words are texts, `caused_by` and its like are tables of plain
    values, and all else is one plain value. What is of another form is left out.
    """
    found = {name: _formed(name, value) for name, value in told.items() if isinstance(name, str)}
    return {name: value for name, value in found.items() if value is not None}


def _formed(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        return value if type(value) is int else None
    if name in _IDS:
        return value if isinstance(value, str) else None
    if name in _TABLES:
        return _table(value) if isinstance(value, Mapping) else None
    if name in _LISTS:
        is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        return [one for one in value if isinstance(one, str)] if is_list else None
    return value if _is_plain(value) else None


def _table(value: Mapping[Any, Any]) -> dict[str, Any]:
    found = {key: one for key, one in value.items() if isinstance(key, str) and _is_plain(one)}
    return {key: one for key, one in found.items() if key not in _NUMBERS or type(one) is int}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_span_id(text: str) -> bool:
    return len(text) == _SPAN_ID_DIGITS and all(char in "0123456789abcdefABCDEF" for char in text)
