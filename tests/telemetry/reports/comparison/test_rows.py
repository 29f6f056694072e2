"""What is held against each other, row by row."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from telemetry.reports.case import Case
from telemetry.reports.comparison.compare import compare
from telemetry.reports.comparison.value import (
    ComparedFound,
    Comparison,
    ParamCompared,
    TimingCompared,
)
from tests.telemetry.reports.comparison.pairs import (
    GOOD,
    A,
    B,
    Plan,
    case,
    pair,
    scripted,
    unrecorded,
)


def fact(found: Comparison, section: str, name: str) -> ComparedFound:
    """Return a row of a section."""
    [row] = [one for one in getattr(found, section) if one.name == name]
    assert isinstance(row, ComparedFound)
    return row


def timing(found: Comparison, name: str) -> TimingCompared:
    """Return how long something took in both."""
    [row] = [one for one in found.timings if one.name == name]
    return row


def param(found: Comparison, name: str) -> ParamCompared:
    """Return a parameter of both."""
    [row] = [one for one in found.params if one.name == name]
    return row


def with_row(one: Case, **row: object) -> Case:
    """Return a case whose row says this besides."""
    return replace(one, task=msgspec.structs.replace(one.task, **row))


def test_a_parameter_has_its_value_type_and_layer(tmp_path: Path) -> None:
    """Of both sides."""
    found = param(pair(tmp_path, GOOD, GOOD), "seed")
    assert found.a == found.b
    assert found.a is not None
    assert (found.a.value, found.a.type, found.a.source) == (1, "int", "task")


def test_a_parameter_of_another_type_says_both(tmp_path: Path) -> None:
    """1 and 1.0 look alike to people."""
    other = replace(GOOD, values={**GOOD.values, "seed": 1.0})
    assert param(pair(tmp_path, GOOD, other), "seed").why == "type int, float"


def test_the_same_value_of_another_layer_matters(tmp_path: Path) -> None:
    """Somebody else has decided it."""
    found = pair(tmp_path, GOOD, replace(GOOD, layer="orchestrator"))
    assert found.matters == {"layers": ["prompt", "seed", "steps"]}


def test_a_key_of_the_defaults_that_one_side_has_alone_matters(tmp_path: Path) -> None:
    """The engine of the other has never heard of it."""
    other = replace(
        GOOD,
        values={**GOOD.values, "tea_cache": 0.5},
        defaults={**GOOD.defaults, "tea_cache": 0.5},
    )
    row = fact(pair(tmp_path, GOOD, other), "defaults", "tea_cache")
    assert (row.a, row.b, row.matters, row.why) == (None, 0.5, True, "a key of B alone")


def test_a_default_of_another_type_says_both(tmp_path: Path) -> None:
    """A number that has become a text."""
    other = replace(GOOD, defaults={**GOOD.defaults, "seed": "-1"})
    row = fact(pair(tmp_path, GOOD, other), "defaults", "seed")
    assert (row.matters, row.why) == (True, "type int in A, str in B")


def test_the_defaults_digests_are_side_by_side(tmp_path: Path) -> None:
    """Before the loop and after it."""
    found = pair(tmp_path, GOOD, GOOD)
    for name in ("digest before", "digest after"):
        assert fact(found, "defaults", name).a == "d1" * 32


def test_the_device_matters_and_the_host_does_not(tmp_path: Path) -> None:
    """A cluster gives every process a host of its own."""
    found = pair(tmp_path, GOOD, replace(GOOD, device="cuda:0"))
    assert found.matters["environment"] == ["device"]
    assert fact(found, "environment", "host").a


def test_times_of_day_ids_and_workers_do_not_matter(tmp_path: Path) -> None:
    """They differ between any two tasks."""
    a, b = (
        with_row(
            case(tmp_path, GOOD, one),
            created=f"2026-02-24T14:0{n}:00.000000Z",
            claimed=f"2026-02-24T14:1{n}:00.000000Z",
            returned=f"2026-02-24T14:2{n}:00.000000Z",
            worker=f"gpu-{n}",
        )
        for n, one in ((1, A), (2, B))
    )
    found = compare(a, b)
    assert (found.alike, found.matters) == ("no significant difference", {})
    assert fact(found, "lifecycle", "worker").differs


def test_the_wait_in_the_queue_does_not_matter(tmp_path: Path) -> None:
    """Others cause it."""
    times = {"created": "2026-02-24T14:00:00Z", "returned": "2026-02-24T15:00:01Z"}
    a = with_row(case(tmp_path, GOOD, A), claimed="2026-02-24T14:00:01Z", **times)
    b = with_row(case(tmp_path, GOOD, B), claimed="2026-02-24T15:00:00Z", **times)
    found = timing(compare(a, b), "wait in the queue")
    assert (found.a_ms, found.b_ms, found.ratio) == (1000, 3_600_000, 3600)
    assert (found.matters, found.why) == (False, "what else was in the queue")


def test_what_took_much_longer_matters(tmp_path: Path) -> None:
    """Both loaded the model, and one took far longer."""
    a = scripted(tmp_path, A, seed=1, fails=False)
    found = compare(a, scripted(tmp_path, B, seed=1, fails=False, loaded_ms=300))
    row = timing(found, "stage model")
    assert (row.a_ms, row.b_ms, row.matters) == (900, 300, True)
    assert found.alike == "significant differences"
    assert "stage model (time)" in found.says


def test_loading_a_model_that_the_other_had_does_not_matter(tmp_path: Path) -> None:
    """It tells which of them came first."""
    found = pair(tmp_path, GOOD, Plan(resident=True))
    assert timing(found, "stage model").matters is False
    assert fact(found, "lifecycle", "model load").matters is False


def test_a_stage_that_failed_is_not_compared_by_its_time(tmp_path: Path) -> None:
    """How long it had been at work says when it failed."""
    found = timing(pair(tmp_path, Plan(fails_in="encode"), GOOD), "stage encode")
    assert (found.ratio, found.why) == (None, "not to its end in A")


def test_of_a_task_that_waits_only_what_it_asked_for_is_known(tmp_path: Path) -> None:
    """Then that is compared."""
    a = unrecorded(A, status="Queued", params={"seed": 7})
    b = with_row(case(tmp_path, GOOD, B), params={"seed": 8})
    found = compare(a, replace(b, model=None))
    assert fact(found, "asked", "seed").matters
    assert fact(found, "lifecycle", "claimed").a is None


@pytest.mark.parametrize("name", ["orchestrator_task_id", "segment_ids", "parent_ref"])
def test_ids_that_were_asked_for_do_not_matter(name: str) -> None:
    """They point at the tasks of its own journey."""
    a, b = (unrecorded(one, params={name: one}) for one in (A, B))
    assert not fact(compare(a, b), "asked", name).matters
