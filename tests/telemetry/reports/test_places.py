"""Every form of a report says the same place, and how surely it is known."""

import html
import re
from typing import Final

import msgspec
import pytest

from telemetry.reports.findings import FrameFound, Investigation, Location, SourceLine
from telemetry.reports.html import page
from telemetry.reports.markdown import markdown
from telemetry.reports.places import how_known, place_text
from telemetry.reports.sentences import conclusions
from telemetry.reports.terminal import plain
from tests.telemetry.reports import sample

FAILED_AT: Final = Location(file="/app/a.py", line=5, function="f")
PLACES: Final = ("raised at", "stopped at", "opened at", "reported at")
FORMS: Final = ("terminal", "markdown", "html")


def frame(file: str, line: int) -> FrameFound:
    """Return a frame with a line of source that names it."""
    source = [SourceLine(number=line, text=f"the_line_of({file!r})")]
    return FrameFound(file=file, line=line, function="f", locals={}, source=source)


def failed(place: str, *frames: FrameFound, **failure: object) -> Investigation:
    """Return an investigation with a failure at a.py:5, known as this, and an incomplete record."""
    found = sample.incomplete()
    assert found.failure is not None
    about = {"place": place, "location": FAILED_AT, "frames": list(frames), "chain": [], **failure}
    return msgspec.structs.replace(found, failure=msgspec.structs.replace(found.failure, **about))


def written(found: Investigation, form: str) -> str:
    """Return a form of a report as its text, on one line."""
    match form:
        case "terminal":
            text = plain(found)
        case "markdown":
            text = markdown(found)
        case _:
            text = html.unescape(re.sub(r"<[^>]*>", "", page(found).replace("</p>", " ")))
    return " ".join(text.split())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("frames", [(), (frame("/app/a.py", 5),)], ids=["row alone", "with frames"])
def test_every_form_says_the_same_place_and_the_same_certainty(
    form: str, place: str, frames: tuple[FrameFound, ...]
) -> None:
    """In the words of one list; no form has one of its own."""
    text = written(failed(place, *frames), form)
    assert place_text(FAILED_AT, place) in text
    known = {other: how_known(other).lower() for other in PLACES if how_known(other)}
    said = {other for other, words in known.items() if words in text.lower()}
    assert said == ({place} if how_known(place) else set())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_every_form_concludes_the_same_of_an_incomplete_record(form: str, place: str) -> None:
    """What holds, and what does not; a place that only opened a span is not said to hold."""
    found = failed(place, frame("/app/a.py", 5))
    text = written(found, form)
    assert all(one in text for one in conclusions(found))
    assert ("the failure and its place below" in text) is (place != "opened at")
    assert "is certain" not in text


def told_of_place(found: Investigation, form: str) -> str:
    """Return what a form tells of the place, up to the values."""
    before, _, _ = written(found, form).partition("Which value did it")
    begin = {"terminal": " Where ", "markdown": "## Root cause", "html": "Next stepsWhere"}[form]
    return before.rpartition(begin)[2]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_the_source_of_another_frame_is_never_shown_as_that_of_the_place(
    form: str, place: str
) -> None:
    """A stack may end elsewhere than where the failure is said to be."""
    found = failed(place, frame("/app/c.py", 1), frame("/app/b.py", 9))
    shown = told_of_place(found, form)
    assert "the_line_of" not in shown
    assert "b.py" not in shown


@pytest.mark.parametrize("form", FORMS)
def test_the_source_of_the_place_is_shown(form: str) -> None:
    """Wherever in the stack it is."""
    found = failed("stopped at", frame("/app/a.py", 5), frame("/app/b.py", 9))
    shown = told_of_place(found, form)
    assert "the_line_of" in shown
    assert "b.py" not in shown


@pytest.mark.parametrize("form", FORMS)
def test_a_place_that_nobody_knows_is_said_to_be_unknown(form: str) -> None:
    """In the same words."""
    nowhere = Location(file="", line=0, function="")
    text = written(failed("", location=nowhere), form)
    assert "not known: nothing that arrived names it" in text
    assert "What holds: that it failed. Where, the record cannot say." in text


@pytest.mark.parametrize("form", FORMS)
def test_what_was_handled_before_is_told_in_every_form_with_how_it_is_known(form: str) -> None:
    """It may be a guess."""
    cause = {
        "type": "KeyError", "message": "no key", "file": "/app/k.py", "line": 3, "function": "g",
        "place": "raised at", "known_by": "the words of its message",
    }  # fmt: skip
    text = written(failed("reported at", caused_by=cause), form)
    said = "behind it, the words of its message: KeyError: no key (raised at /app/k.py:3 in g)"
    assert said in text


@pytest.mark.parametrize("form", FORMS)
def test_why_there_is_no_stack_is_told_in_the_same_words(form: str) -> None:
    """Of an engine that passed on a text there was none to record."""
    text = written(failed("reported at"), form).lower()
    assert "only the text of an exception was passed on, and not the exception" in text
