"""Where a library raised, every report names the line of our own that called it, too."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from telemetry import Recorder
from telemetry.records import Error
from telemetry.reports.advice import next_steps
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.comparison.value import ComparedFound
from telemetry.reports.comparison.words import cell
from telemetry.reports.failures import grouped
from telemetry.reports.fault import failure
from telemetry.reports.findings import FailureFound, Investigation, Location
from telemetry.reports.html import page
from telemetry.reports.markdown import markdown
from telemetry.reports.places import place_text
from telemetry.reports.sentences import cause_text, root_step, root_text
from telemetry.reports.summary import summary
from telemetry.reports.terminal import plain
from telemetry.reports.tree import lines
from tests.telemetry.reports import sample
from tests.telemetry.reports.html import pages
from tests.telemetry.reports.recorded import Attempted, segment
from tests.telemetry.reports.test_failures import failed as failed_once

FORMS: Final = ("terminal", "markdown", "html")
LIBRARY: Final = Location(file="/lib/stride.py", line=349, function="broadcast")
OWN: Final = Location(file="/wgp/vae.py", line=19, function="decode")
ROW: Final = {
    "kind": "exception", "type": "ValueError", "message": "shapes differ", "place": "raised at",
    **msgspec.structs.asdict(LIBRARY), "own_file": OWN.file, "own_line": OWN.line,
    "own_function": OWN.function,
}  # fmt: skip
BOTH: Final = "raised at /lib/stride.py:349 in broadcast, called at /wgp/vae.py:19 in decode"
Act = Callable[[], Any]


def decode(text: str) -> Any:
    """Fail in a library that this line calls."""
    return json.loads(text)


def mean(numbers: list[float]) -> float:
    """Fail in another library."""
    return statistics.mean(numbers)


def mean_elsewhere(numbers: list[float]) -> float:
    """Fail at the same line of that, called by another."""
    return statistics.mean(numbers)


def refuse(text: str) -> Any:
    """Fail at a line of our own."""
    raise ValueError(text)


def refuses() -> None:
    """Have it fail, far from the words that are looked for."""
    refuse("")


def wraps() -> None:
    """Name the cause."""
    try:
        decode("")
    except ValueError as exc:
        raise RuntimeError("the video could not be generated") from exc


def fails_twice() -> None:
    """Fail at one line of a library, called from two of our own."""
    try:
        mean([])
    except ValueError:
        mean_elsewhere([])


def failed(spool: Path, act: Act) -> Attempted:
    """Record a segment that fails so, in which the code of the tests is our own."""
    attempted = Attempted(spool=spool)

    def work(recorder: Recorder) -> None:
        segment(recorder, after=act)

    return attempted.run(work, own_code=[str(Path(__file__).parent)])


def found_of(error: Error | None, row: dict[str, Any] | None = None) -> FailureFound:
    """Return what is found of an error, or of a row alone."""
    found = failure(error, TaskRow(id="s", type="t2v", status="Failed", error=row or {}))
    assert found is not None
    return found


def written(found: Investigation, form: str) -> str:
    """Return what a form tells, on one line."""
    match form:
        case "html":
            return " ".join(pages.plain(page(found)).split())
        case "markdown":
            return " ".join(markdown(found).split())
        case _:
            return " ".join(plain(found, width=400).split())


def line_of(function: Callable[..., Any]) -> Location:
    """Return the line of one of the functions above that fails."""
    first = function.__code__.co_firstlineno
    return Location(file=__file__, line=first + 2, function=function.__name__)


def test_it_is_the_line_that_called_the_library(spool: Path) -> None:
    """The location stays the one that raised."""
    found = failed(spool, lambda: decode("")).found().failure
    assert found is not None
    assert found.location.function == "JSONDecoder.raw_decode"
    assert found.own == line_of(decode)


def test_where_our_own_line_raised_there_is_no_other(spool: Path) -> None:
    """And no report speaks of one."""
    found = failed(spool, refuses).found()
    assert found.failure is not None
    assert found.failure.own is None
    assert not any("called at" in written(found, form) for form in FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_both_and_shows_the_source_of_both(spool: Path, form: str) -> None:
    """In its headline and where it shows the place; our own line is the one to be mended."""
    found = failed(spool, lambda: decode("")).found()
    assert found.failure is not None
    own, text = line_of(decode), written(found, form)
    both = place_text(found.failure.location, "raised at", own)
    assert both in found.says
    assert text.count(both) > 1
    begin = {"terminal": " Where ", "markdown": "## Root cause", "html": "Next stepsWhere"}[form]
    shown = text.partition("Which value did it")[0].rpartition(begin)[2]
    assert "return json.loads(text)" in shown
    assert "raise JSONDecodeError(" in shown


def test_the_first_step_opens_the_line_of_our_own(spool: Path) -> None:
    """Nobody mends the library."""
    found = failed(spool, lambda: decode("")).found()
    assert found.failure is not None
    own, library = place_text(line_of(decode)), place_text(found.failure.location)
    assert found.next_steps[0] == f"Open {own}: what it called raised at {library}."


def test_what_a_death_stopped_in_was_called_by_a_line_of_our_own() -> None:
    """Its place is known in another way."""
    found = found_of(None, {**ROW, "kind": "hang", "place": "stopped at"})
    steps = next_steps(found, [], sample.incident().completeness, [], [], "")
    said = "what it called stopped at /lib/stride.py:349 in broadcast."
    assert steps[0] == f"Open /wgp/vae.py:19 in decode: {said}"


def test_a_row_alone_names_both() -> None:
    """The record may be gone."""
    found = found_of(None, ROW)
    assert (found.location, found.own) == (LIBRARY, OWN)
    assert place_text(found.location, found.place, found.own) == BOTH
    whole = sample.incident()
    row = TaskRow(id="s", type="t2v", status="Failed")
    about = Case(asked="s", task=row, model=None, source="", links=whole.links)
    assert BOTH in summary(about, found, whole.loop, [], whole.completeness)


def test_an_older_record_has_it_by_its_frames(spool: Path) -> None:
    """They say which are our own."""
    error = failed(spool, lambda: decode("")).error
    assert error is not None
    older = msgspec.structs.replace(error, own_file="", own_line=0, own_function="")
    assert found_of(older).own == line_of(decode)


def test_a_cause_in_a_library_is_named_by_our_own_line_first(spool: Path) -> None:
    """It is where one begins; then comes what was made of it."""
    found = failed(spool, wraps).found()
    assert found.failure is not None
    root = found.failure.root
    assert root is not None
    assert (root.own, root.location.function) == (line_of(decode), "JSONDecoder.raw_decode")
    assert place_text(root.location, "raised at", root.own) in root_text(root)
    step = root_step(root)
    assert step.startswith(f"Open {place_text(line_of(decode))}, the root cause: ")
    assert step.endswith(f", raised at {place_text(root.location)}.")
    assert step == found.next_steps[0]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_shows_our_own_line_of_a_cause(spool: Path, form: str) -> None:
    """With its source, before the failure's own."""
    text = written(failed(spool, wraps).found(), form)
    assert f"called at {place_text(line_of(decode))}" in text.replace("`", "")
    begin = {"terminal": " Where ", "markdown": "## Root cause", "html": "Next stepsWhere"}[form]
    shown = text.partition("Which value did it")[0].rpartition(begin)[2]
    assert shown.index("return json.loads(text)") < shown.rindex("raise RuntimeError(")


def test_two_failures_at_one_line_of_a_library_are_two(spool: Path) -> None:
    """The second is called from elsewhere: the first is its root cause all the same."""
    found = failed(spool, fails_twice).found().failure
    assert found is not None
    assert found.own == line_of(mean_elsewhere)
    assert found.root is not None
    assert (found.root.location, found.root.own) == (found.location, line_of(mean))


def test_what_was_handled_before_is_told_with_both_lines() -> None:
    """In the same words."""
    cause = {name: value for name, value in ROW.items() if name != "kind"}
    assert cause_text(cause).endswith(f"({BOTH})")
    root = found_of(None, {"type": "NoOutput", "message": "none", "caused_by": cause}).root
    assert root is not None
    assert (root.location, root.own) == (LIBRARY, OWN)


def test_failures_and_trees_name_both(spool: Path) -> None:
    """The group as the newest of it, the tree as the record has it."""
    [group] = grouped([failed_once(1, **ROW)], release="")
    assert (group.location, group.own) == (LIBRARY, OWN)
    attempted = failed(spool, lambda: decode(""))
    assert attempted.error is not None
    told = [line.name for line in lines(attempted.model())]
    assert any(attempted.error.where in line for line in told)


def test_a_comparisons_short_cell_begins_with_our_own_line() -> None:
    """A column may have no room for both."""
    row = ComparedFound(name="place", a=BOTH, b="raised at /wgp/vae.py:20 in decode")
    short = "called at vae.py:19 in decode, raised at stride.py:349 in broadcast"
    assert cell(row, "a", 200) == short
    assert cell(row, "b", 200) == "raised at vae.py:20 in decode"


@pytest.mark.parametrize("odd", [None, True, "x", [1], {"a": 1}])
def test_what_is_odd_in_a_row_is_left_out(odd: Any) -> None:
    """Another application may have written it."""
    found = found_of(None, {**ROW, "own_line": odd, "own_function": odd})
    assert found.own is not None
    assert (found.own.file, found.own.line) == (OWN.file, 0)
    assert found_of(None, {**ROW, "own_file": None}).own is None
