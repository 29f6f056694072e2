"""Error records as finished Sentry events, and on their way to Sentry."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from telemetry import names
from telemetry.journal import JournalRecord, ProcessFacts
from telemetry.records import Error, ExceptionFacts, Frame
from telemetry.shipper.delivery import Answer, Verdict, encoding
from telemetry.spans import Folder, Span

if TYPE_CHECKING:
    from telemetry.shipper.sentry_client import SentryClient

# Sentry answers 413 above 1 MiB, and the event is gone.
MAX_EVENT_BYTES: Final = 900_000
_TAGS: Final = {
    "task_id": names.TASK_ID,
    "task_type": names.TASK_TYPE,
    "attempt": names.TASK_ATTEMPT,
    "worker": names.WORKER_ID,
    "engine": names.ENGINE_NAME,
    "model": names.ENGINE_MODEL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryTarget:
    """Where errors go, and what they are filed under; `release` is loop26's version if empty."""

    dsn: str
    environment: str = "production"
    release: str = ""
    timeout_s: float = 5.0


class ErrorStream:
    """Errors, as one Sentry event each."""

    name = "sentry"
    optional = False
    batch_size = 1

    def __init__(self, target: SentryTarget) -> None:
        self._target = target
        self._client: SentryClient | None = None

    def select(
        self, record: JournalRecord, _finished: Sequence[Span], folder: Folder
    ) -> Sequence[Any]:
        """Return what this record gives to send: an error, with what its open spans tell of it."""
        if not isinstance(record.body, Error):
            return ()
        return ((record.body, surroundings(folder, record.body.span_id)),)

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Send one event."""
        if self._client is None:
            from telemetry.shipper.sentry_client import SentryClient

            self._client = SentryClient(self._target.dsn)
        answer = Answer(Verdict.ACCEPTED)
        for error, around in items:
            with encoding():
                event = event_of(error, around, facts, self._target)
            answer = self._client.send(event, min(timeout_s, self._target.timeout_s))
            if answer.verdict is Verdict.TOO_LARGE:
                # The server's limit is lower than Sentry's own: what names the line goes through.
                bare = without_locals(event)
                answer = self._client.send(bare, min(timeout_s, self._target.timeout_s))
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None


def surroundings(folder: Folder, span_id: bytes | None) -> dict[str, Any]:
    """Collect what the task in hand and the spans around an error say, the innermost winning.

    The parameters that the task's loop has set are under "parameters".
    """
    found: dict[str, Any] = {"parameters": dict(folder.parameters)}
    if (task := folder.task) is not None and folder.task_end is None:
        found |= {
            names.TASK_ID: task.task_id,
            names.TASK_TYPE: task.task_type,
            names.TASK_ATTEMPT: task.attempt,
            names.WORKER_ID: task.worker_id,
        }
    for span in reversed(folder.lineage(span_id)):
        found.update(span.attributes)
    return found


def event_of(
    error: Error, around: Mapping[str, Any], facts: ProcessFacts, target: SentryTarget
) -> dict[str, Any]:
    """Return the Sentry event of an error: complete, and under the size that Sentry takes.

    Args:
        error: What happened.
        around: What `surroundings` collected when it happened.
        facts: The process it happened in.
        target: Release and environment.
    """
    event = {
        "event_id": error.event_id,
        "timestamp": error.at_ns / 1e9,
        "platform": "python",
        "level": "fatal" if error.kind == "death" else "error",
        "logger": names.SERVICE,
        "release": target.release or f"{names.SERVICE}@{facts.version}",
        "environment": target.environment,
        "server_name": facts.host,
        "transaction": error.stage and names.stage(error.stage),
        "fingerprint": [error.fingerprint or "{{ default }}"],
        "exception": {"values": list(_values(error))},
        "tags": {**_tags(error, around), "role": facts.role},
        "contexts": _contexts(error, around),
    }
    return within_limit(event)


def within_limit(event: dict[str, Any], limit: int = MAX_EVENT_BYTES) -> dict[str, Any]:
    """Take locals away, outermost frames first, until an event is under the limit."""
    if len(msgspec.json.encode(event)) <= limit:
        return event
    stacks = [value["stacktrace"] or {} for value in event["exception"]["values"]]
    frames = [frame for stack in stacks for frame in stack.get("frames", ())]
    for count, frame in enumerate(frames, start=1):
        frame.pop("vars", None)
        event["tags"]["locals"] = f"left out of {count} of {len(frames)} frames"
        if len(msgspec.json.encode(event)) <= limit:
            return event
    event["contexts"] = {"trace": event["contexts"]["trace"]}
    return event


def without_locals(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its places and without its locals and contexts."""
    return within_limit(event, limit=0)


def _values(error: Error) -> Iterator[dict[str, Any]]:
    """Sentry's order: the cause first, last the exception that arrived at the top."""
    if not error.chain:
        frames = [_place(error)] if error.file else []
        yield _value(error.type, "", error.message, frames, error, number=0)
        return
    for number, one in reversed(list(enumerate(error.chain))):
        innermost = len(one.frames) - 1
        expression = error.expression if number == 0 else ""
        frames = [
            _frame(frame, expression if index == innermost else "")
            for index, frame in enumerate(one.frames)
        ]
        value = _value(one.type, one.module, one.message, frames, error, number=number)
        _relate(value["mechanism"], one, number)
        yield value


def _value(
    kind: str, module: str, message: str, frames: list[dict[str, Any]], error: Error, *, number: int
) -> dict[str, Any]:
    return {
        "type": kind,
        "module": module or None,
        "value": message,
        "stacktrace": {"frames": frames} if frames else None,
        "mechanism": {
            "type": "chained" if number else error.kind,
            "handled": error.handled,
            "exception_id": number,
        },
    }


def _relate(mechanism: dict[str, Any], one: ExceptionFacts, number: int) -> None:
    if number:
        mechanism["parent_id"] = number - 1
        mechanism["source"] = {"cause": "__cause__", "context": "__context__"}.get(one.relation)


def _frame(frame: Frame, expression: str) -> dict[str, Any]:
    at = frame.line - frame.source_first_line
    known = 0 <= at < len(frame.source)
    return {
        "filename": "/".join(PurePath(frame.file).parts[-2:]),
        "abs_path": frame.file,
        "function": frame.function,
        "module": frame.module or None,
        "lineno": frame.line,
        "pre_context": frame.source[:at] if known else None,
        "context_line": frame.source[at] if known else None,
        "post_context": frame.source[at + 1 :] if known else None,
        "in_app": frame.in_app,
        "vars": _ordered(frame.locals, expression),
    }


def _place(error: Error) -> dict[str, Any]:
    """Return the frame of an error that has a line and no stack: a death."""
    return _frame(Frame(file=error.file, line=error.line, function=error.function, in_app=True), "")


def _ordered(variables: Mapping[str, Any], expression: str) -> dict[str, Any]:
    """Put first what a server that cuts variables must not cut: what failed, then what is None."""

    def rank(item: tuple[str, Any]) -> int:
        name, value = item
        if expression and name.split(".")[0] in expression:
            return 0
        return 1 if value is None or value == "None" else 2

    return {name: _plain(value) for name, value in sorted(variables.items(), key=rank)}


def _plain(value: Any) -> Any:
    """Make a value one that JSON has: no NaN, and None as the text that Sentry shows."""
    match value:
        case None:
            return "None"
        case float() if not math.isfinite(value):
            return repr(value)
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case bytes():
            return value.hex()
        case _:
            return value


def _tags(error: Error, around: Mapping[str, Any]) -> dict[str, str]:
    tags = {
        tag: str(around[key]) for tag, key in _TAGS.items() if around.get(key) not in (None, "")
    }
    tags |= {"task_id": error.task_id} if error.task_id else {}
    tags |= {"stage": error.stage} if error.stage else {}
    tags |= {"loop": f"{error.loop_index}/{error.loop_count}"} if error.loop_count else {}
    return tags | {"kind": error.kind, "place": error.place}


def _contexts(error: Error, around: Mapping[str, Any]) -> dict[str, Any]:
    contexts: dict[str, Any] = {
        "trace": {
            "trace_id": error.trace_id.hex() if error.trace_id else "0" * 32,
            "span_id": error.span_id.hex() if error.span_id else "0" * 16,
        },
        "failure": {
            "place": f"{error.place} {error.file}:{error.line} in {error.function}",
            "expression": error.expression,
            "stage": error.stage,
            "loop index": error.loop_index,
            "loop count": error.loop_count,
        },
    }
    if parameters := around.get("parameters"):
        contexts["task parameters"] = _plain(parameters)
    call = {key: value for key, value in around.items() if key.startswith(names.ENGINE_PARAM)}
    if call:
        contexts["engine call"] = {
            key.removeprefix(names.ENGINE_PARAM): _plain(value) for key, value in call.items()
        }
    loose = {}
    for key, value in error.context.items():
        if isinstance(value, dict) and key not in contexts:
            contexts[key] = _plain(value)
        else:
            loose[key] = _plain(value)
    if loose:
        contexts["context"] = loose
    return contexts
