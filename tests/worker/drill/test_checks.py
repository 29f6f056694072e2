"""What was found is held against what was planted: a drill must not pass what is wrong."""

from dataclasses import replace

import msgspec
import pytest

from telemetry.reports.findings import ExceptionFound, FrameFound, RootCauseFound
from worker.drill.checks import of_failure
from worker.drill.planted import Planted, planted
from worker.drill.running import Drilled

from .conftest import drilled_without_a_record, row_error

WHAT = planted("none-from-engine")


def complete(drilled: Drilled, what: Planted = WHAT) -> Drilled:
    """Return a drill of which all was found."""
    failure = drilled.found.failure
    assert failure is not None
    frame = FrameFound(
        file=what.place.file,
        line=what.place.line,
        function=what.place.function,
        locals={**what.values, "other": 1},
    )
    found = msgspec.structs.replace(
        drilled.found,
        failure=msgspec.structs.replace(failure, frames=[frame], expression=what.expression),
        loop=msgspec.structs.replace(drilled.found.loop, completed=32, total=32),
        steps=msgspec.structs.replace(drilled.found.steps, completed=2, total=6),
        completeness=msgspec.structs.replace(
            drilled.found.completeness, begun=47, arrived=44, cut_off=3, complete=True
        ),
    )
    return replace(drilled, found=found)


def wrong(drilled: Drilled, what: Planted = WHAT) -> list[str]:
    """Return the names of the checks that are not all right; `settled` needs a record."""
    return [one.name for one in of_failure(what, drilled) if not one.ok and one.name != "settled"]


@pytest.fixture
def good() -> Drilled:
    """Give a drill of which all was found."""
    return complete(drilled_without_a_record(row_error(WHAT)))


def test_what_is_all_there_is_right(good: Drilled) -> None:
    """Each thing that was planted has a line."""
    assert wrong(good) == []
    names = [check.name for check in of_failure(WHAT, good)]
    assert {"failure", "line", "row", "locals", "was None", "loop", "steps", "spans"} <= set(names)


@pytest.mark.parametrize(
    ("field", "value"),
    [("line", WHAT.place.line + 1), ("function", "meet"), ("file", "/elsewhere/faults.py")],
)
def test_a_line_nearby_is_wrong(field: str, value: object) -> None:
    """Both in the report and on the row."""
    drilled = complete(drilled_without_a_record({**row_error(WHAT), field: value}))
    assert wrong(drilled) == ["line", "row"]


def test_a_place_that_is_known_less_exactly_is_wrong() -> None:
    """The line at which a span was opened is not where it was raised, should they be the same."""
    drilled = complete(drilled_without_a_record({**row_error(WHAT), "place": "opened at"}))
    assert wrong(drilled) == ["line"]


def test_another_type_is_wrong() -> None:
    """The module in front of it does not matter."""
    for said, expected in (("builtins.AttributeError", []), ("TypeError", ["failure"])):
        drilled = complete(drilled_without_a_record({**row_error(WHAT), "type": said}))
        assert wrong(drilled) == expected


def test_a_local_that_is_missing_or_another_is_wrong(good: Drilled) -> None:
    """What is None must be there as None."""
    failure = good.found.failure
    assert failure is not None
    for found in ({"planted": WHAT.values["planted"]}, {**WHAT.values, "planted": "another"}, {}):
        frames = [msgspec.structs.replace(failure.frames[0], locals=found)]
        told = msgspec.structs.replace(failure, frames=frames)
        changed = replace(good, found=msgspec.structs.replace(good.found, failure=told))
        assert wrong(changed) == ["locals"]


@pytest.mark.parametrize(
    "changes", [{"lost": 1}, {"complete": False}, {"cut_off": 2}, {"begun": 0}, {"arrived": 45}]
)
def test_a_span_too_few_is_wrong(good: Drilled, changes: dict[str, object]) -> None:
    """So is one too many, and a record that is called incomplete."""
    record = msgspec.structs.replace(good.found.completeness, **changes)
    assert wrong(replace(good, found=msgspec.structs.replace(good.found, completeness=record))) == [
        "spans"
    ]


def test_an_iteration_or_a_step_too_few_is_wrong(good: Drilled) -> None:
    """The fault comes after the loop, in the third step."""
    loop = msgspec.structs.replace(good.found.loop, completed=26)
    steps = msgspec.structs.replace(good.found.steps, completed=1)
    assert wrong(replace(good, found=msgspec.structs.replace(good.found, loop=loop))) == ["loop"]
    assert wrong(replace(good, found=msgspec.structs.replace(good.found, steps=steps))) == ["steps"]


def test_without_the_moment_of_the_fault_it_is_not_known_to_be_settled_soon(good: Drilled) -> None:
    """Nothing is taken for good that was not measured."""
    settled = next(one for one in of_failure(WHAT, good) if one.name == "settled")
    assert (settled.found, settled.ok) == ("nothing", False)


def test_what_failed_in_no_way_that_is_known_is_wrong() -> None:
    """As where the row lacks all and nothing is recorded: not one check is right."""
    checks = of_failure(WHAT, drilled_without_a_record({}))
    assert not [check.name for check in checks if check.ok]
    assert checks[0].found == "nothing"


def test_a_swallowed_exception_is_looked_for_behind_the_failure() -> None:
    """Where nothing is known to be behind it, nothing was found."""
    what = planted("swallowed")
    drilled = complete(drilled_without_a_record(row_error(what)), what)
    assert wrong(drilled, what) == ["failure"]


def test_the_locals_of_a_swallowed_exception_must_be_in_the_report() -> None:
    """That the record holds them helps nobody who reads the report."""
    what = planted("swallowed")
    told = "the video could not be generated; IndexError"
    drilled = complete(drilled_without_a_record({**row_error(what), "expression": ""}), what)
    failure = drilled.found.failure
    assert failure is not None
    frame = msgspec.structs.replace(failure.frames[0], locals=dict(what.values))
    behind = ExceptionFound(
        type=what.type, module="builtins", message="x", relation="handled before", frames=[frame]
    )
    root = RootCauseFound(
        type=what.type,
        message="x",
        relation="handled before",
        place=what.known_as,
        location=failure.location,
    )
    task = replace(drilled.task, error_message=told)
    for chain, expected in (([behind], []), ([], ["locals"])):
        changed = msgspec.structs.replace(failure, frames=[], chain=chain, root=root)
        found = msgspec.structs.replace(drilled.found, failure=changed)
        assert wrong(replace(drilled, found=found, task=task), what) == expected
