"""Which differences matter."""

from typing import Any

import pytest

from telemetry.recorder.assignments import REDACTED
from telemetry.recorder.hidden_prompts import PROMPT_HIDDEN
from telemetry.reports.case import TaskRow
from telemetry.reports.comparison.significance import hidden, impersonal, longer, same, type_name

NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), (0, False), ("1", 1), (None, "None"), ([1], [1.0]), ({"a": 1}, {})],
)
def test_values_of_other_types_are_not_the_same(one: Any, other: Any) -> None:
    """An engine may do with 1.0 what it does not with 1."""
    assert not same(one, other)


@pytest.mark.parametrize("value", [None, NAN, 1.5, "x", [1, [NAN]], {"a": {"b": None}}, (1, 2)])
def test_a_value_is_the_same_as_itself(value: Any) -> None:
    """Also one that Python says is not."""
    assert same(value, value)


def test_the_order_of_a_mapping_is_no_difference() -> None:
    """It comes from whoever wrote the JSON."""
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("a_ms", "b_ms", "differ"),
    [
        (1000, 1400, False),  # less than half as long again
        (100, 300, False),  # three times, and 200 ms
        (1000, 1500, True),
        (1500, 1000, True),
        (0, 250, True),
        (0, 0, False),
        (-5, 240, False),
    ],
)
def test_durations_differ_by_a_factor_and_by_a_time(
    a_ms: float, b_ms: float, *, differ: bool
) -> None:
    """Both are needed: what is short is noisy, and what is long need not be three times as long."""
    assert longer(a_ms, b_ms) is differ


def test_ids_are_taken_out_of_texts_however_deep() -> None:
    """A path, a list of paths, an object with them."""
    row = TaskRow(id="task-1", type="t2v", status="Failed", worker="gpu-1")
    given = {"files": ["/out/task-1/a.mp4"], "by": "gpu-1", "n": 1}
    assert impersonal(given, row) == {"files": ["/out/<task>/a.mp4"], "by": "<worker>", "n": 1}


def test_a_task_without_a_worker_loses_no_letters() -> None:
    """The empty name is in every text."""
    assert impersonal("text", TaskRow(id="", type="t2v", status="Queued")) == "text"


@pytest.mark.parametrize("text", [PROMPT_HIDDEN, REDACTED])
def test_what_the_recorder_hides_is_known_to_be_hidden(text: str) -> None:
    """In a text, in a list, in an object."""
    assert all(map(hidden, (text, f"a {text} b", [text], {"key": [text]})))
    assert not hidden("a lake")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "None"),
        (True, "bool"),
        (1, "int"),
        ("x", "str"),
        ([], "list"),
        ({"a": 1}, "dict"),
        ({"<class>": "worker.task.Task"}, "worker.task.Task"),
        ("<torch.Tensor (2, 3) float32>", "torch.Tensor"),
    ],
)
def test_the_type_of_a_snapshot_is_that_of_what_it_was_taken_of(value: Any, name: str) -> None:
    """Of an object, its class."""
    assert type_name(value) == name


def nested(depth: int, inner: Any = 1) -> Any:
    """Return lists and dictionaries within one another."""
    for number in range(depth):
        inner = [inner] if number % 2 else {"a": inner}
    return inner


def test_values_nested_without_end_are_compared() -> None:
    """A stranger's may be nested deeper than a program can call itself."""
    row = TaskRow(id="task", type="t2v", status="Failed")
    assert same(nested(5000), nested(5000))
    assert not same(nested(5000), nested(5000, 2))
    assert hidden(nested(5000, "[redacted]"))
    assert same(impersonal(nested(5000), row), impersonal(nested(5000), row))
