"""An error record as a finished Sentry event."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from telemetry import names
from telemetry.journal import ProcessFacts
from telemetry.links import Links
from telemetry.records import Error, ExceptionFacts, Frame
from telemetry.shipper.sentry_locals import CUT, Interest, chosen, shown, size
from telemetry.shipper.sentry_trail import Trail
from telemetry.spans import Folder

# Sentry answers 413 above 1 MiB, and the event is gone.
MAX_EVENT_BYTES: Final = 900_000
_FATAL: Final = frozenset({"death", "hang"})
_TAGS: Final = {
    "task_id": names.TASK_ID,
    "task_type": names.TASK_TYPE,
    "attempt": names.TASK_ATTEMPT,
    "worker": names.WORKER_ID,
    "engine": names.ENGINE_NAME,
    "model": names.ENGINE_MODEL,
}


class Surroundings(NamedTuple):
    """What was around an error when it happened.

    Attributes:
        attributes: Of the task in hand and of the spans around the error, the innermost winning.
        asked: The task's parameters as they were given.
        parameters: What the task's loop had set, by key.
        crumbs: What went before, as Sentry's breadcrumbs.
    """

    attributes: Mapping[str, Any]
    parameters: Mapping[str, Any]
    asked: Mapping[str, Any] = {}
    crumbs: Sequence[Mapping[str, Any]] = ()


class Filing(NamedTuple):
    """What an event is filed under: release and environment; and the pages it leads to."""

    release: str
    environment: str
    links: Links = Links()


def surroundings(folder: Folder, span_id: bytes | None, trail: Trail) -> Surroundings:
    """Collect what a journal's state says of an error in one of its spans."""
    found: dict[str, Any] = {}
    asked: Mapping[str, Any] = {}
    if (task := folder.task) is not None and folder.task_end is None:
        found |= trail.engine
        found |= {
            names.TASK_ID: task.task_id,
            names.TASK_TYPE: task.task_type,
            names.TASK_ATTEMPT: task.attempt,
            names.WORKER_ID: task.worker_id,
        }
        asked = task.params
    for span in reversed(folder.lineage(span_id)):
        found.update(span.attributes)
    return Surroundings(found, dict(folder.parameters), asked, trail.crumbs())


def event_of(
    error: Error, around: Surroundings, facts: ProcessFacts, filing: Filing
) -> dict[str, Any]:
    """Return the Sentry event of an error: complete, and under the size that Sentry takes.

    Args:
        error: What happened.
        around: What was around it.
        facts: The process it happened in.
        filing: Release, loop26's version if empty, and environment.
    """
    keys = frozenset(around.parameters) | around.asked.keys() | _call(around).keys()
    event = {
        "event_id": error.event_id,
        "timestamp": error.at_ns / 1e9,
        "platform": "python",
        "level": _level(error),
        "logger": names.SERVICE,
        "release": filing.release or f"{names.SERVICE}@{facts.version}",
        "environment": filing.environment,
        "server_name": facts.host,
        "transaction": error.stage and names.stage(error.stage),
        "fingerprint": [error.fingerprint or "{{ default }}"],
        "exception": {"values": list(_values(error, keys))},
        "tags": {**_engine_of(facts), **_tags(error, around.attributes), "role": facts.role},
        "contexts": {
            **_contexts(error, around),
            **_pages(error, around, filing.links),
            **_whole_locals(error),
        },
        "breadcrumbs": {"values": list(around.crumbs)},
    }
    return within_limit(event)


def speaking_of(event: dict[str, Any], held_back: int) -> dict[str, Any]:
    """Return an event that says how many of its kind were held back since the last one went out."""
    if not held_back:
        return event
    said = {"failures like this one, not sent since the last": held_back}
    return {
        **event,
        "tags": {**event["tags"], "held_back": str(held_back)},
        "contexts": {**event["contexts"], "held back": said},
    }


def _level(error: Error) -> str:
    """What somebody handled is no failure by itself; what ended a process is more than one."""
    if error.kind in _FATAL:
        return "fatal"
    return "warning" if error.handled else "error"


def within_limit(event: dict[str, Any], limit: int = MAX_EVENT_BYTES) -> dict[str, Any]:
    """Take away what an event can do without, the least important first, until it is small enough.

    What names the line always stays. The tag `left_out` says how much of what is gone.
    """
    excess = size(event) - limit
    gone: Counter[str] = Counter()
    for what, holder, key in _dispensable(event):
        if excess <= 0:
            break
        excess -= size(holder.pop(key))
        gone[what] += 1
    if gone:
        event["tags"]["left_out"] = ", ".join(f"{what} ({n})" for what, n in gone.items())
    return event


def without_locals(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its places and without its locals, contexts and breadcrumbs."""
    return within_limit(event, limit=0)


def _dispensable(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield what can go, as a word for it, what holds it and under which key."""
    contexts = event["contexts"]
    yield from (("locals", contexts, name) for name in list(contexts) if name.startswith(_LOCALS))
    if "breadcrumbs" in event:
        yield "breadcrumbs", event, "breadcrumbs"
    stacks = [value.get("stacktrace", {}) for value in event["exception"]["values"]]
    frames = [frame for stack in stacks for frame in stack.get("frames", ())]
    for what, key in (("variables", "vars"), ("source", "pre_context"), ("source", "post_context")):
        yield from ((what, frame, key) for frame in frames if frame.get(key))
    yield from (("contexts", contexts, name) for name in list(contexts) if name != "trace")


def _values(error: Error, keys: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Sentry's order: the cause first, last the exception that arrived at the top."""
    if not error.chain:
        place = Frame(file=error.file, line=error.line, function=error.function, in_app=True)
        frames = [_frame(place, "", keys)] if error.file else []
        yield _value(error.type, "", error.message, frames, error, number=0)
        return
    for number, one in reversed(list(enumerate(error.chain))):
        innermost = len(one.frames) - 1
        frames = [
            _frame(frame, error.expression if index == innermost else "", keys)
            for index, frame in enumerate(one.frames)
        ]
        value = _value(one.type, one.module, one.message, frames, error, number=number)
        _relate(value["mechanism"], one, number)
        yield value


def _value(
    kind: str, module: str, message: str, frames: list[dict[str, Any]], error: Error, *, number: int
) -> dict[str, Any]:
    # No stacktrace of None: sentry-sdk asks each that there is for its frames.
    stack = {"stacktrace": {"frames": frames}} if frames else {}
    return {
        "type": kind,
        "module": module or None,
        "value": message,
        **stack,
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


def _frame(frame: Frame, expression: str, keys: frozenset[str]) -> dict[str, Any]:
    at = frame.line - frame.source_first_line
    known = 0 <= at < len(frame.source)
    line = frame.source[at] if known else ""
    return {
        "filename": "/".join(PurePath(frame.file).parts[-2:]),
        "abs_path": frame.file,
        "function": frame.function,
        "module": frame.module or None,
        "lineno": frame.line,
        "pre_context": frame.source[:at] if known else None,
        "context_line": line or None,
        "post_context": frame.source[at + 1 :] if known else None,
        "in_app": frame.in_app,
        "vars": chosen(frame.locals, Interest(expression, line, keys)),
    }


_LOCALS: Final = "locals of "


def _whole_locals(error: Error) -> dict[str, Any]:
    """Return all variables of the frames that raised, where their frame can show a choice only."""
    raising = [one.frames[-1] for one in error.chain if one.frames]
    return {
        f"{_LOCALS}{frame.function}": shown(frame.locals)
        for frame in raising
        if CUT in chosen(frame.locals, Interest())
    }


def _tags(error: Error, around: Mapping[str, Any]) -> dict[str, str]:
    tags = {
        tag: str(around[key]) for tag, key in _TAGS.items() if around.get(key) not in (None, "")
    }
    tags |= {"task_id": error.task_id} if error.task_id else {}
    tags |= {"trace_id": error.trace_id.hex()} if error.trace_id else {}
    tags |= {"stage": error.stage} if error.stage else {}
    tags |= {"loop": f"{error.loop_index}/{error.loop_count}"} if error.loop_count else {}
    if error.own_file:
        name = PurePath(error.own_file).name
        tags["called_at"] = f"{name}:{error.own_line} in {error.own_function}"
    return tags | {"kind": error.kind, "place": error.place}


def _engine_of(facts: ProcessFacts) -> dict[str, str]:
    engine = facts.facts.get("engine")
    return {"engine": str(engine)} if engine else {}


def _contexts(error: Error, around: Surroundings) -> dict[str, Any]:
    contexts: dict[str, Any] = {
        "trace": {
            "trace_id": error.trace_id.hex() if error.trace_id else "0" * 32,
            "span_id": error.span_id.hex() if error.span_id else "0" * 16,
        },
        "failure": {
            "place": error.where,
            "expression": error.expression,
            "stage": error.stage,
            "loop index": error.loop_index,
            "loop count": error.loop_count,
        },
    }
    found = {
        "asked parameters": around.asked,
        "task parameters": around.parameters,
        "engine call": _call(around),
    }
    contexts |= {name: shown(dict(values)) for name, values in found.items() if values}
    loose = {}
    for key, value in error.context.items():
        if isinstance(value, dict) and key not in contexts:
            contexts[key] = shown(value)
        else:
            loose[key] = shown(value)
    if loose:
        contexts["context"] = loose
    return contexts


def _pages(error: Error, around: Surroundings, links: Links) -> dict[str, Any]:
    """Return where the task and its trace can be looked at, where the operator has said it."""
    task_id = error.task_id or str(around.attributes.get(names.TASK_ID, ""))
    trace_id = error.trace_id.hex() if error.trace_id else ""
    pages = links.of_task(task_id=task_id, trace_id=trace_id)
    return {"links": pages} if pages else {}


def _call(around: Surroundings) -> dict[str, Any]:
    """Return what the engine was called with."""
    prefix = names.ENGINE_PARAM
    attributes = around.attributes.items()
    return {key.removeprefix(prefix): value for key, value in attributes if key.startswith(prefix)}
