"""Which differences between two tasks matter, and which do not.

One matters that can have to do with how the tasks ended:

- what was decided: a parameter's value, its type, the layer that set it, the model's defaults;
- what it ran on: versions, engine, model, device. A host's name does not: what of a machine can
  decide a run is recorded by itself, and in a cluster every process has a host of its own;
- what happened: whether, how and where it failed, with which values, how far it had got;
- how long a part took that went to its end in both, where one took at least half as long again
  (`LEAST_RATIO`) and the difference is at least a quarter of a second (`LEAST_MS`). What is within
  that, two runs of the same task show on a machine that is not idle.

These do not: ids, times of day, workers and attempts, which differ between any two tasks; the wait
in the queue, which others cause; loading the model where the other had it already, which tells
which of them came first; what was asked where the same was used. A side that does not know a thing
differs in nothing.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from telemetry.recorder.assignments import REDACTED
from telemetry.recorder.hidden_prompts import PROMPT_HIDDEN
from telemetry.reports.case import TaskRow
from telemetry.reports.wording import CUT

LEAST_RATIO: Final = 1.5
LEAST_MS: Final = 250.0
_DEEPEST: Final = 64
# What the recorder writes in place of what it must not write.
_HIDDEN: Final = (PROMPT_HIDDEN, REDACTED)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same and of the same type: 1 is neither 1.0 nor True."""
    waiting = [(one, other)]
    while waiting:
        one, other = waiting.pop()
        match one, other:
            case Mapping(), Mapping():
                if one.keys() != other.keys():
                    return False
                waiting += [(one[key], other[key]) for key in one]
            case ((list() | tuple()), (list() | tuple())):
                if len(one) != len(other):
                    return False
                waiting += zip(one, other, strict=True)
            case float(), float() if math.isnan(one) and math.isnan(other):
                continue
            case _ if type(one) is not type(other) or one != other:
                return False
    return True


def impersonal(value: Any, row: TaskRow, depth: int = 0) -> Any:
    """Return a value with the task's own id and worker taken out, which every task has others of.

    Of a path through the task's folder the same is left for any two tasks. What is nested deeper
    than any recorder writes is cut off.
    """
    if depth > _DEEPEST:
        return CUT
    match value:
        case str():
            for own, word in ((row.id, "<task>"), (row.worker, "<worker>")):
                value = value.replace(own, word) if own else value
            return value
        case list() | tuple():
            return [impersonal(one, row, depth + 1) for one in value]
        case Mapping():
            return {key: impersonal(one, row, depth + 1) for key, one in value.items()}
    return value


def hidden(value: Any) -> bool:
    """Whether a value was not recorded as it was: two that were hidden look alike."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                if any(word in text for word in _HIDDEN):
                    return True
            case (list() | tuple()) as items:
                waiting += items
            case Mapping() as table:
                waiting += table.values()
    return False


def type_name(value: Any) -> str:
    """Name the type that a recorded value is of; of an object's snapshot, the object's."""
    match value:
        case None:
            return "None"
        case str() if value[:1] == "<" and value[-1:] == ">" and "hidden" not in value:
            return value[1:-1].split(" ")[0]
        case Mapping():
            return str(value.get("<class>", "dict"))
    return type(value).__name__


def ratio_of(a_ms: float, b_ms: float) -> float | None:
    """Return by what factor b took longer than a; None where that is no number."""
    return b_ms / a_ms if a_ms > 0 and math.isfinite(b_ms) and math.isfinite(a_ms) else None


def longer(a_ms: float, b_ms: float) -> bool:
    """Whether two durations differ by more than two runs of the same task do."""
    less, more = sorted((max(a_ms, 0.0), max(b_ms, 0.0)))
    return more - less >= LEAST_MS and more >= less * LEAST_RATIO
