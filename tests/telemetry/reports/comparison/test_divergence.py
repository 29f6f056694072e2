"""The first record at which two runs are not alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from telemetry import names
from telemetry.reports.comparison.compare import compare
from telemetry.reports.comparison.course import Occurrence
from telemetry.reports.comparison.divergence import Track, divergences
from tests.telemetry.reports.comparison.pairs import BAD, GOOD, A, B, Plan, case, case_of, pair, ran

VALUES = dict(GOOD.values)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (
            {"values": {**VALUES, "seed": 7}},
            "iteration 2 of the loop (seed): the value is 1 in A, 7 in B",
        ),
        (
            {"layer": "orchestrator"},
            (
                "iteration 1 of the loop (prompt): the layer that set it is 'task' in A, "
                "'orchestrator' in B"
            ),
        ),
        (
            {"values": {**VALUES, "seed": 1.0}},
            "iteration 2 of the loop (seed): the value is 1 in A, 1.0 in B",
        ),
        (
            {"values": {**VALUES, "seed": "1"}},
            "iteration 2 of the loop (seed): the value is 1 in A, '1' in B",
        ),
        (
            {"defaults": {**GOOD.defaults, "steps": 25}},
            "iteration 3 of the loop (steps): the default is 30 in A, 25 in B",
        ),
        ({"device": "cuda:0"}, "engine call load: device is 'cpu' in A, 'cuda:0' in B"),
        (
            {"extra": {"tile_size": 64}},
            "engine call generate: tile_size is not given in A, 64 in B",
        ),
        ({"guidance": 5.0}, "denoising step 1: guidance_scale is 3.0 in A, 5.0 in B"),
    ],
)
def test_a_run_that_differs_in_one_thing_diverges_there(
    tmp_path: Path, other: dict[str, object], says: str
) -> None:
    """A value, its type, its layer, its default, an engine call's parameter, a step."""
    found = pair(tmp_path, GOOD, replace(GOOD, **other))  # type: ignore[arg-type]  # as parametrized
    assert found.divergences[0].says == says
    assert found.alike == "significant differences"


def test_what_follows_from_a_divergence_is_told_once(tmp_path: Path) -> None:
    """The seed is decided in the loop, and the engine is called with it."""
    found = pair(tmp_path, GOOD, replace(GOOD, values={**VALUES, "seed": 7}))
    assert [one.kind for one in found.divergences] == ["iteration"]


def test_the_ways_part_where_one_does_what_the_other_does_not(tmp_path: Path) -> None:
    """It is the last that is told: what comes behind it cannot be held against each other."""
    found = pair(tmp_path, GOOD, replace(GOOD, steps=3))
    assert [one.parts for one in found.divergences] == [False, True]
    assert found.divergences[-1].says == (
        "A: engine call generate ended well; B: denoising step 3 ended well"
    )


def test_a_failure_in_the_loop_is_met_before_the_values_that_it_prevented(tmp_path: Path) -> None:
    """The parameters of the other are no difference: it did not come so far."""
    found = pair(tmp_path, Plan(fails_in="loop"), GOOD)
    [parting] = found.divergences
    assert parting.says.startswith("A: it failed with LookupError")
    assert parting.says.endswith("B: iteration 1 of the loop (prompt) ended well")
    assert {one.why for one in found.params} == {"not decided in A", "A did not come so far"}
    assert "params" not in found.matters


def test_a_parameter_that_one_loop_has_alone_matters(tmp_path: Path) -> None:
    """Another version of the engine has another set of defaults."""
    found = pair(tmp_path, GOOD, replace(GOOD, values={**VALUES, "tea_cache": 0.5}))
    [alone] = [one for one in found.params if one.name == "tea_cache"]
    assert (alone.a, alone.matters, alone.why) == (None, True, "of B alone")


def test_the_tasks_own_id_is_no_difference(tmp_path: Path) -> None:
    """Each writes into a folder of its own."""
    a, b = (replace(GOOD, extra={"folder": f"/out/{one}"}) for one in (A, B))
    assert pair(tmp_path, a, b).alike == "no significant difference"


def test_hidden_values_are_not_said_to_be_alike_or_not(tmp_path: Path) -> None:
    """Two prompts that were not recorded look alike."""
    hidden = replace(GOOD, values={**VALUES, "prompt": "[prompt hidden]"})
    found = pair(tmp_path, hidden, hidden)
    [prompt] = [one for one in found.params if one.name == "prompt"]
    assert (prompt.unknown, prompt.differs) == (["a", "b"], False)
    assert "hidden" in found.caveats[-1]


def test_a_hole_in_the_middle_of_a_record_makes_no_divergence(tmp_path: Path) -> None:
    """What it held is passed over, and what comes behind it is compared again."""
    b = ran(tmp_path, replace(BAD, guidance=5.0), B)
    [journal] = b.task_journal.glob("*.journal")
    data = bytearray(journal.read_bytes())
    at = data.index(names.LOOP_ITERATION.encode())
    data[at + 60 : at + 200] = bytes(140)
    journal.write_bytes(bytes(data))
    found = compare(case(tmp_path, BAD, A), case_of(b, BAD))
    assert not found.b.completeness.complete
    assert [one.says for one in found.divergences] == [
        "denoising step 1: guidance_scale is 3.0 in A, 5.0 in B"
    ]


def done(*names_: str) -> list[Occurrence]:
    """Make a course of stages that ended well."""
    return [
        Occurrence(kind="stage", name=name, where=name, at_ms=0, ended="ok", number=1)
        for name in names_
    ]


def parted(a: Track, b: Track) -> list[tuple[object, object]]:
    """Return what each side did where they are not alike."""
    return [(one.a, one.b) for one in divergences(a, b)]


def test_a_side_that_is_over_does_nothing_more() -> None:
    """The other goes on: there they part."""
    a = Track(course=done("one"), whole=True, over=True)
    b = Track(course=done("one", "two"), whole=True, over=True)
    assert parted(a, b) == [("it was over", "two ended well")]


def test_a_side_that_is_at_work_may_do_it_yet() -> None:
    """Its course is not over."""
    a = Track(course=done("one"), whole=True, over=False)
    b = Track(course=done("one", "two"), whole=True, over=True)
    assert parted(a, b) == []


def test_a_side_with_holes_may_have_done_it() -> None:
    """At its end, in its middle, and though it was done several times."""
    b = Track(course=done("one", "two", "three"), whole=True, over=True)
    for course in (done("one"), done("one", "three"), done("three")):
        assert parted(Track(course=course, whole=False, over=True), b) == []


def test_what_a_side_with_holes_did_alone_is_a_divergence() -> None:
    """It is in its record, and the other's is whole."""
    a = Track(course=done("one", "extra"), whole=False, over=True)
    b = Track(course=done("one", "two"), whole=True, over=True)
    assert parted(a, b) == [("extra ended well", "it was over")]


def test_without_a_record_there_is_nothing_to_diverge() -> None:
    """Nothing is not a course."""
    a = Track(course=[], whole=False, over=True)
    assert parted(a, Track(course=done("one"), whole=True, over=True)) == []


def test_a_span_that_failed_without_an_error_on_record_parts_the_ways() -> None:
    """What comes behind it is not held against the other."""
    failed = replace(done("one")[0], ended="failed")
    a = Track(course=[failed, *done("two")], whole=True, over=True)
    b = Track(course=done("one", "three"), whole=True, over=True)
    assert parted(a, b) == [("one failed", "one ended well")]


def test_a_parameter_that_is_called_like_an_end_is_only_a_parameter(tmp_path: Path) -> None:
    """Whatever an engine's parameters are called, and hold."""
    other = replace(GOOD, extra={"ended": "failed"})
    found = pair(tmp_path, replace(GOOD, extra={"ended": 1}), other)
    assert [one.says for one in found.divergences] == [
        "engine call generate: ended is 1 in A, 'failed' in B"
    ]
