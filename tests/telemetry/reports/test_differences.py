"""What differs between two attempts."""

import math
from pathlib import Path
from typing import Any

from telemetry.reports.differences import environment, of_environments, of_params, of_values
from telemetry.reports.findings import EnvironmentFound, ParamFound
from tests.telemetry.reports.recorded import Attempted, segment
from tests.telemetry.reports.test_attempt import attempt_of


def param(name: str, value: Any, source: str = "model") -> ParamFound:
    """Make a parameter."""
    return ParamFound(name=name, value=value, asked=None, default=None, source=source)


def ran_on(host: str, **facts: Any) -> EnvironmentFound:
    """Make an environment."""
    return EnvironmentFound(host=host, loop26="1.2.0", facts=facts)


def test_what_differs_is_told_with_both_sides() -> None:
    """In the order of the first, what only the second has at the end."""
    found = of_values({"b": 1, "a": 2}, {"c": 3, "a": 2, "b": 4})
    assert [(one.name, one.this, one.other) for one in found] == [("b", 1, 4), ("c", None, 3)]


def test_none_is_told_from_a_value_that_is_not_there() -> None:
    """Both are written None, and differ."""
    assert len(of_values({"a": None}, {})) == 1


def test_a_number_that_is_none_is_the_same_as_itself() -> None:
    """NaN is equal to nothing, and no difference to a person."""
    assert of_values({"a": math.nan}, {"a": math.nan}) == []


def test_true_is_not_one() -> None:
    """A switch that became a number is what one looks for."""
    assert len(of_values({"a": True}, {"a": 1})) == 1
    assert of_values({"a": 1.0}, {"a": 1}) == []


def test_what_was_never_decided_is_no_difference() -> None:
    """It has no value yet."""
    assert of_params([param("a", None, source="")], [param("a", None, source="")]) == []


def test_ids_of_processes_explain_nothing() -> None:
    """They differ from run to run."""
    this, other = ran_on("a", pid=1, worker_id="x", device="cuda"), ran_on("a", pid=2, device="cpu")
    assert [one.name for one in of_environments(this, other)] == ["device"]


def test_an_environment_that_is_not_known_differs_in_nothing() -> None:
    """A damaged header is no other machine."""
    assert of_environments(ran_on(""), ran_on("gpu-1", device="cuda")) == []


def test_the_environment_is_that_of_the_process_that_ran_the_attempt(spool: Path) -> None:
    """Not the supervisor's, nor that of another attempt's process."""
    Attempted(spool=spool, attempt=2).run(segment)
    late = Attempted(spool=spool, attempt=1)  # a journal that begins later may be of an earlier one
    late.run(segment)
    attempt = attempt_of(spool, late.task_id)
    assert attempt.begin is not None
    assert attempt.begin.attempt == 2
    found = environment(attempt)
    assert found.facts["device"] == "cpu"
    assert found.host


def test_without_a_record_nothing_is_known_of_where_it_ran() -> None:
    """Nothing is made up."""
    assert environment(None) == EnvironmentFound(host="", loop26="", facts={})
