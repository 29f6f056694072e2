"""The model's defaults as the record has them, restored to the very values or not at all."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.spans import Span
from worker.params.frozen import digest

_MOST_READINGS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the record holds of a model's defaults.

    Attributes:
        model: The model.
        digest: Of the defaults before the loop; "" where the record has none.
        count: How many they were.
        recorded: Each by its key, in the order of the loop, in the form of the record.
        values: The defaults, restored; None where they cannot be restored to the same digest.
        why_not: Why `values` is None, else "".
    """

    model: str
    digest: str
    count: int
    recorded: Mapping[str, Any]
    values: Mapping[str, Any] | None = None
    why_not: str = ""


def snapshot_of(attempt: Attempt) -> Snapshot | None:
    """Restore the defaults from the loop's iterations; None where none were read.

    A dictionary is recorded as its JSON, which a text may be as well: the digest tells which it
    was. It also tells of values that were hidden or cut, or are of no type of JSON.
    """
    known, readings = digest_of(attempt), _readings(attempt)
    if not known and not readings:
        return None
    count = _count(attempt)
    found = Snapshot(
        model=_model(attempt), digest=known, count=count, recorded=recorded_defaults(attempt)
    )
    if not known:
        return replace(found, why_not="the record has no digest of them")
    if len(readings) != count:
        return replace(found, why_not=f"the record has {len(readings)} of {count} of them")
    values = _restored(readings, known)
    if values is None:
        return replace(found, why_not="a value of them is hidden in the record, or cut")
    return replace(found, values=values)


def recorded_defaults(attempt: Attempt) -> dict[str, Any]:
    """Return the default of each iteration by its key, in the form in which it was recorded."""
    return {key: read[-1] for key, read in _readings(attempt).items()}


def digest_of(attempt: Attempt) -> str:
    """Return the digest that an attempt recorded of the defaults; "" where it read none."""
    return str(_stage(attempt).get(names.DEFAULTS_BEFORE, ""))


def _restored(readings: Mapping[str, list[Any]], known: str) -> dict[str, Any] | None:
    for values in itertools.islice(itertools.product(*readings.values()), _MOST_READINGS):
        defaults = dict(zip(readings, values, strict=True))
        try:
            if digest(defaults) == known:
                return defaults
        except RecursionError:  # a record that somebody has made up
            return None
    return None


def _readings(attempt: Attempt) -> dict[str, list[Any]]:
    """Return by key what each iteration's default may have been, the likeliest first."""
    spans = sorted(attempt.named(names.LOOP_ITERATION), key=_index)
    return {
        str(span.attributes[names.PARAM_KEY]): _read(span)
        for span in spans
        if names.PARAM_KEY in span.attributes and names.PARAM_OLD in span.attributes
    }


def _read(span: Span) -> list[Any]:
    if span.attributes.get(f"{names.PARAM_OLD}{names.IS_NULL}") is True:
        return [None]
    value = span.attributes[names.PARAM_OLD]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return [json.loads(value), value]
        except (ValueError, RecursionError):
            return [value]
    return [value]


def _count(attempt: Attempt) -> int:
    said = _whole(_stage(attempt).get(names.DEFAULTS_COUNT))
    spans = attempt.named(names.LOOP_ITERATION)
    return said or max((_whole(span.attributes.get(names.LOOP_COUNT)) for span in spans), default=0)


def _stage(attempt: Attempt) -> Mapping[str, Any]:
    spans = attempt.named(names.stage("parameters"))
    return spans[-1].attributes if spans else {}


def _model(attempt: Attempt) -> str:
    calls = attempt.named(names.engine("default_settings"))
    return str(calls[-1].attributes.get(names.ENGINE_MODEL, "")) if calls else ""


def _index(span: Span) -> int:
    return _whole(span.attributes.get(names.LOOP_INDEX))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
