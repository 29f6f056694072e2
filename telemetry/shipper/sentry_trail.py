"""What went before an error: the task's newest spans and log records, its engine and model."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry import names
from telemetry.journal import JournalRecord
from telemetry.records import Log, Status, TaskBegin
from telemetry.shipper.sentry_locals import CUT, shown
from telemetry.spans import Span

MOST_CRUMBS: Final = 100  # as many as Sentry keeps
_LONGEST_MESSAGE: Final = 512
# Of a span's attributes, those that say what it was about.
_TELLING: Final = (
    names.PARAM_KEY,
    names.PARAM_OLD,
    names.PARAM_NEW,
    names.PARAM_SOURCE,
    names.LOOP_INDEX,
    names.STEP_INDEX,
    names.STEP_COUNT,
    names.ENGINE_MODEL,
    names.ERROR_TYPE,
)
_ENGINE: Final = (names.ENGINE_NAME, names.ENGINE_MODEL)
_MODEL: Final = "model_name"
_ORCHESTRATOR: Final = "orchestrator_details"  # what a segment was not told itself stands in there
# Sentry's levels by the least severity number of OpenTelemetry's log data model.
_LEVELS: Final = ((21, "fatal"), (17, "error"), (13, "warning"), (9, "info"), (0, "debug"))


class Trail:
    """Keeps the newest spans and log records of the task in hand, in the order of their ends.

    Attributes:
        engine: Name of the engine, and of the model of the task in hand, as a span has them: as the
            newest call said, before the first as the task's parameters say. A process has one
            engine.
    """

    def __init__(self) -> None:
        self.engine: dict[str, Any] = {}
        self._newest: deque[Log | Span] = deque(maxlen=MOST_CRUMBS)

    def feed(self, record: JournalRecord, finished: Sequence[Span]) -> None:
        """Take the next record and the spans that it ended; a new task begins a new trail."""
        if isinstance(record.body, TaskBegin):
            self._newest.clear()
            self.engine[names.ENGINE_MODEL] = _asked_model(record.body.params)
        elif isinstance(record.body, Log):
            self._newest.append(record.body)
        self._newest.extend(finished)
        for span in finished:
            said = {name: span.attributes.get(name) for name in _ENGINE}
            self.engine |= {name: value for name, value in said.items() if value}

    def crumbs(self) -> list[dict[str, Any]]:
        """Return Sentry's breadcrumbs, oldest first."""
        return [_of_log(one) if isinstance(one, Log) else _of_span(one) for one in self._newest]


def _asked_model(params: Mapping[str, Any]) -> Any:
    inherited = params.get(_ORCHESTRATOR)
    found = params.get(_MODEL)
    return found or (inherited.get(_MODEL) if isinstance(inherited, Mapping) else None)


def _of_log(log: Log) -> dict[str, Any]:
    return {
        "type": "default",
        "category": log.logger,
        "level": next(level for least, level in _LEVELS if log.severity >= least),
        "message": _short(log.message),
        "timestamp": log.at_ns / 1e9,
    }


def _of_span(span: Span) -> dict[str, Any]:
    failed = span.status == Status.ERROR
    return {
        "type": "error" if failed else "default",
        "category": "span",
        "level": "error" if failed else "info",
        "message": _short(f"{span.name}: {span.description}" if span.description else span.name),
        "timestamp": (span.end_ns or span.start_ns) / 1e9,
        "data": {"ms": (span.duration_ns or 0) / 1e6, **_telling(span.attributes)},
    }


def _telling(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = {name.removeprefix("loop26."): attributes.get(name) for name in _TELLING}
    return {name: _short(shown(value)) for name, value in found.items() if value is not None}


def _short(value: Any) -> Any:
    if isinstance(value, list):
        value = str(value)
    if isinstance(value, str) and len(value) > _LONGEST_MESSAGE:
        return f"{value[:_LONGEST_MESSAGE]}{CUT}"
    return value
