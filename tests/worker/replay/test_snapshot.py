"""A model's defaults are restored from the record: to the very values, or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.reports.attempt import Attempt
from worker.replay.snapshot import Snapshot, snapshot_of

Record = Callable[..., Attempt]
INCIDENT = json.loads((Path(__file__).parents[2] / "data" / "incident_defaults.json").read_text())


def snapshot(attempt: Attempt) -> Snapshot:
    """Return the snapshot that a record must have."""
    found = snapshot_of(attempt)
    assert found is not None
    return found


def typed(value: Any) -> Any:
    """Return a value with every type in it: 1, 1.0 and True are three."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return type(value).__name__, value


def test_the_incidents_defaults_are_restored(record: Record) -> None:
    """All 32, in their order, with their types."""
    found = snapshot(record(INCIDENT))
    assert found.values is not None
    assert list(found.values) == list(INCIDENT)
    assert typed(dict(found.values)) == typed(INCIDENT)
    assert (found.model, found.count, found.why_not) == ("tiny_t2v", 32, "")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "null",
        True,
        0,
        1.0,
        1e300,
        [],
        [1, 2],
        ["a", "b"],
        [1, "a", None],
        [[1, 2], [3]],
        {},
        {"a": {"b": [1, 2.5, None]}},
        '{"a": 1}',
        "[1, 2]",
        '{"a": 1} and more',
        "ü\n\t\x00",
        2**63 - 1,
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was(record: Record, value: Any) -> None:
    """A text that looks like a list stays a text."""
    found = snapshot(record({"a": 1, "b": value}))
    assert found.values is not None
    assert typed(found.values["b"]) == typed(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=8,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.dictionaries(st.from_regex(r"v[0-9]{1,3}", fullmatch=True), JSON, min_size=1, max_size=6))
def test_defaults_are_restored_exactly_or_not_at_all(
    record: Record, defaults: dict[str, Any]
) -> None:
    """Whatever JSON they hold."""
    found = snapshot(record(defaults))
    if found.values is None:
        assert found.why_not
    else:
        assert typed(dict(found.values)) == typed(defaults)


def test_defaults_of_which_the_record_has_a_part_are_not_restored(record: Record) -> None:
    """It says how many it has."""
    found = snapshot(record(INCIDENT, upto=9))
    assert found.values is None
    assert found.why_not == "the record has 9 of 32 of them"


def test_defaults_with_a_hidden_prompt_are_not_restored(record: Record) -> None:
    """What stands in its place is not taken for it."""
    found = snapshot(record({"prompt": "a lake at dawn", "steps": 2}, prompts=False))
    assert found.values is None
    assert found.why_not == "a value of them is hidden in the record, or cut"


def test_defaults_without_a_digest_are_not_restored(record: Record) -> None:
    """Nothing would say whether they are right."""
    found = snapshot(record({"steps": 2}, digested=False))
    assert found.values is None
    assert found.why_not == "the record has no digest of them"


def test_many_values_that_may_be_two_things_take_no_time(record: Record) -> None:
    """Not every combination is tried."""
    defaults = {f"v{number}": "[1]" for number in range(60)}
    assert snapshot(record(defaults)).values is None
