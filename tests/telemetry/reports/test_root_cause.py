"""The exception that is behind a failure: found, named first, and shown with its values."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from telemetry import Recorder
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.fault import failure
from telemetry.reports.findings import FailureFound
from telemetry.reports.html import page
from telemetry.reports.markdown import markdown
from telemetry.reports.sentences import root_exception, root_frame, root_step
from telemetry.reports.summary import summary
from telemetry.reports.terminal import plain
from tests.telemetry.reports import sample
from tests.telemetry.reports.html import pages
from tests.telemetry.reports.recorded import Attempted, segment

FORMS = ("terminal", "markdown", "html")
SEEN = "a value that must be seen"
Act = Callable[[Recorder], None]


def decode(latents: list[float]) -> float:
    """Fail with a value that must be seen."""
    planted = SEEN
    return latents[len(planted)]


def swallows(recorder: Recorder) -> None:
    """Handle it, and say something vague of it."""
    try:
        decode([])
    except IndexError as exc:
        recorder.errors.handled(exc, "traceback")
    raise RuntimeError("the video could not be generated")


def passes_on_its_text(recorder: Recorder) -> None:
    """Hide an exception, and say its text."""
    try:
        decode([])
    except IndexError as exc:
        recorder.errors.handled(exc, "log")
        raise RuntimeError(f"generation failed: {exc}") from None


def hides(_recorder: Recorder) -> None:
    """Hide an exception that nobody has seen."""
    try:
        decode([])
    except IndexError as exc:
        raise RuntimeError(f"generation failed: {exc}") from None


def wraps(_recorder: Recorder) -> None:
    """Name the cause, twice."""
    try:
        try:
            decode([])
        except IndexError as exc:
            raise ValueError("no frame") from exc
    except ValueError as exc:
        raise RuntimeError("the video could not be generated") from exc


def stumbles(_recorder: Recorder) -> None:
    """Fail while another is handled."""
    try:
        decode([])
    except IndexError:
        raise RuntimeError("the video could not be generated")  # noqa: B904 - it is what is tested


def wraps_what_was_logged(recorder: Recorder) -> None:
    """Log an exception, then name it as the cause."""
    try:
        decode([])
    except IndexError as exc:
        recorder.errors.handled(exc, "log")
        raise RuntimeError("the video could not be generated") from exc


def gathers(_recorder: Recorder) -> None:
    """Fail with a group, one member of which has a cause of its own."""
    try:
        decode([])
    except IndexError as exc:
        member = ValueError("no frame")
        member.__cause__ = exc
    raise ExceptionGroup("several", [member, KeyError("b")])


def fails_again(recorder: Recorder) -> None:
    """Fail at the same line as before."""
    for number in range(2):
        try:
            decode([])
        except IndexError as exc:
            if number:
                raise
            recorder.errors.handled(exc, "log")


BEHIND = [swallows, passes_on_its_text]
LINKED = [wraps, stumbles, wraps_what_was_logged]


def failed(spool: Path, act: Act) -> FailureFound:
    """Record a segment that fails so, and return what is found of it."""
    attempted = Attempted(spool=spool)

    def work(recorder: Recorder) -> None:
        segment(recorder, after=lambda: act(recorder))

    model = attempted.run(work).model()
    found = failure(attempted.error, attempted.row(), model.errors)
    assert found is not None
    return found


def written(found: FailureFound, form: str) -> str:
    """Return what a form tells, on one line."""
    whole = msgspec.structs.replace(sample.incident(), failure=found)
    match form:
        case "html":
            return pages.plain(page(whole))
        case "markdown":
            return " ".join(markdown(whole).split())
        case _:
            return " ".join(plain(whole, width=400).split())


@pytest.mark.parametrize("act", [swallows, wraps])
def test_an_investigation_begins_with_the_root_cause(spool: Path, act: Act) -> None:
    """It looks what is behind it up in the record, and opens that line first."""

    def work(recorder: Recorder) -> None:
        segment(recorder, after=lambda: act(recorder))

    found = Attempted(spool=spool).run(work).found()
    assert found.failure is not None
    assert found.failure.chain[-1].frames[-1].locals["planted"] == SEEN
    first, second, third = found.next_steps[:3]
    assert " in decode, " in first
    assert second.startswith("Then see what was made of it, at ")
    assert third.startswith("Find out why latents[len(planted)] was not there")
    count = sum(len(one.frames) for one in found.failure.chain)
    assert any(f"none of the {count} frames" in one.evidence for one in found.hypotheses)


def told(found: FailureFound) -> str:
    """Return the headline."""
    whole = sample.incident()
    row = TaskRow(id="s", type="t2v", status="Failed")
    about = Case(asked="s", task=row, model=None, source="", links=whole.links)
    return summary(about, found, whole.loop, [], whole.completeness)


@pytest.mark.parametrize("act", BEHIND)
def test_what_was_handled_before_joins_the_chain_with_its_frames(spool: Path, act: Act) -> None:
    """It is in no chain of Python's: the engine kept it to itself."""
    found = failed(spool, act)
    assert [one.relation for one in found.chain] == ["", "handled before"]
    assert found.chain[1].frames[-1].locals == {"latents": [], "planted": SEEN}
    assert found.frames == found.chain[0].frames


@pytest.mark.parametrize("act", [*BEHIND, *LINKED])
def test_the_innermost_exception_is_the_root_cause(spool: Path, act: Act) -> None:
    """With its line, and what was not there."""
    found = failed(spool, act)
    assert found.root is not None
    assert found.root.type == "IndexError"
    assert found.root.location.function == "decode"
    assert found.root.relation == ("handled before" if act in BEHIND else found.chain[-1].relation)
    frame = root_frame(found)
    assert frame is not None
    assert frame.locals["planted"] == SEEN


def test_how_a_root_cause_is_known_is_kept(spool: Path) -> None:
    """A text that is the same is more than a moment before."""
    by = [found.root.known_by for act in BEHIND if (found := failed(spool, act)).root]
    assert by == ["handled before, in the same stage", "told by its text"]


def test_what_was_logged_and_is_in_the_chain_is_there_once(spool: Path) -> None:
    """It is one exception, however often it was seen."""
    found = failed(spool, wraps_what_was_logged)
    assert [one.relation for one in found.chain] == ["", "cause"]
    assert told(found).count("IndexError") == 1


@pytest.mark.parametrize("act", [hides, gathers])
def test_no_root_cause_is_invented(spool: Path, act: Act) -> None:
    """Neither of what was hidden, nor of a group: each of its members has its own."""
    assert failed(spool, act).root is None


def test_an_exception_of_the_failures_own_line_is_no_news(spool: Path) -> None:
    """It failed there twice; what was handled then is in the chain."""
    found = failed(spool, fails_again)
    assert found.root is None
    assert found.chain[-1].relation == "handled before"


@pytest.mark.parametrize("act", [*BEHIND, *LINKED])
def test_the_headline_names_the_root_cause_before_the_vague_line(spool: Path, act: Act) -> None:
    """The first line of code in it is the one to open."""
    found = failed(spool, act)
    assert found.root is not None
    said, lead = told(found), "; behind it: " if act in BEHIND else "; caused by "
    where = f"{found.root.location.file}:{found.root.location.line}"
    assert f"{lead}IndexError: list index out of range, raised at {where} in decode; " in said
    own = f"the failure itself raised at {found.location.file}:{found.location.line}"
    assert said.index(where) < said.index(own)


@pytest.mark.parametrize("act", [*BEHIND, *LINKED])
def test_the_first_step_opens_the_place_of_the_root_cause(spool: Path, act: Act) -> None:
    """And says how surely it is that."""
    found = failed(spool, act)
    assert found.root is not None
    step, at = root_step(found.root), found.root.location
    assert step.startswith(f"Open {at.file}:{at.line} in decode, ")
    assert step.endswith(": IndexError: list index out of range.")
    assert found.root.known_by in step


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("act", [swallows, wraps])
def test_every_form_shows_the_source_and_the_locals_of_the_root_cause(
    spool: Path, act: Act, form: str
) -> None:
    """First in "Where", then among the frames."""
    found = failed(spool, act)
    text = written(found, form)
    assert "return latents[len(planted)]" in text
    assert SEEN in text.partition("Every frame" if form != "html" else "Stack and locals")[2]
    lead = "behind it: IndexError" if act in BEHIND else "caused by IndexError"
    assert lead.lower() in text.lower()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_how_it_is_known_to_be_behind_it(spool: Path, form: str) -> None:
    """That it came before is not that it is the cause."""
    text = written(failed(spool, swallows), form).lower()
    assert "how that is known: handled before, in the same stage" in text


@pytest.mark.parametrize("act", [swallows, wraps])
def test_the_values_are_those_of_the_root_cause_where_the_failure_has_none(
    spool: Path, act: Act
) -> None:
    """A line that raises a text names no local."""
    values = {one.name: one.value for one in failed(spool, act).values}
    assert values["latents"] == []
    assert values["planted"] == SEEN


def test_what_the_cause_lacked_is_not_said_of_the_line_that_raised_anew(spool: Path) -> None:
    """The recorder works it out of the stated cause."""
    found = failed(spool, wraps)
    assert found.root is not None
    assert found.root.expression == "latents[len(planted)]"
    assert all(" in decode" in one.origin or "decode(" in one.origin for one in found.values[:1])


def test_a_row_alone_names_what_is_behind_it() -> None:
    """The record may be gone."""
    cause = {"type": "KeyError", "message": "'a'", "file": "k.py", "line": 3, "function": "g"}
    row = TaskRow(id="s", type="t2v", status="Failed", error={"type": "X", "caused_by": cause})
    found = failure(None, row)
    assert found is not None
    assert "; behind it: KeyError: 'a', raised at k.py:3 in g" in told(found)
    assert root_exception(found) is None


def test_a_death_is_told_before_what_was_raised_before_it() -> None:
    """It is another thing that ended the process."""
    cause = {"type": "KeyError", "message": "'a'", "file": "k.py", "line": 3, "function": "g"}
    about = {"kind": "death", "type": "abort", "message": "it aborted", "caused_by": cause}
    row = TaskRow(id="s", type="t2v", status="Failed", error={**about, "file": "a.py", "line": 1})
    found = failure(None, row)
    assert found is not None
    assert told(found).index("a.py:1") < told(found).index("behind it is KeyError")
