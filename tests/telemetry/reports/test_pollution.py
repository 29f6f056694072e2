"""What an earlier task left changed in the engine: a verdict that shows it, out of real records."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry import Recorder, names
from telemetry.reports.findings import HypothesisFound, Investigation, ReplayFound
from telemetry.reports.html import page
from telemetry.reports.hypotheses import POLLUTION
from telemetry.reports.investigate import investigate
from telemetry.reports.markdown import markdown
from telemetry.reports.terminal import plain
from tests.telemetry.reports.recorded import (
    MODEL,
    SEGMENT,
    TRACE,
    Attempted,
    incident,
    verdict,
)

FOUND = ["defaults of i2v: seed, guidance_scale (put back)", "the abort flag was set"]
LEFT = ["defaults of i2v: seed, guidance_scale", "a thread: upload"]
NAMED = f"an earlier task of this process had left changed: {', '.join(FOUND)}"
ANOTHER = "e040ae48-4fa8-4af6-8a57-028277e54ba9"
FRESH = "replayed in a fresh process at 2026-02-24T15:00:00Z: it did not fail"


def finding(state: list[str] | None) -> Callable[[Recorder], None]:
    """Return a task that finds this changed, and fails as the incident's."""

    def work(recorder: Recorder) -> None:
        with recorder.engine_call("model_def", engine="wan2gp", model=MODEL) as span:
            if state is not None:
                span.set({names.ENGINE_STATE_FOUND: state})
        incident(recorder)

    return work


def said(
    spool: Path,
    found: list[str] | None,
    *,
    before: int | None = 1,
    same: bool | None = None,
) -> HypothesisFound:
    """Return the verdict on a task that found this, of a process that had so many before it."""
    return verdict(investigated(spool, found, before=before, same=same), POLLUTION)


def investigated(
    spool: Path,
    found: list[str] | None,
    *,
    before: int | None = 1,
    same: bool | None = None,
) -> Investigation:
    """Investigate it, after a replay that failed in the same way, or did not, or without one."""
    replayed = ReplayFound(at="2026-02-24T15:00:00Z", same=bool(same), says="it did not fail")
    attempted = Attempted(spool=spool).run(finding(found))
    case = attempted.case(replayed=None if same is None else replayed)
    assert case.model is not None
    parts = tuple(
        replace(part, read=tuple(one._replace(tasks_before=before or 0) for one in part.read))
        for part in case.model.processes
    )
    return investigate(replace(case, model=replace(case.model, processes=parts)))


def test_what_was_found_changed_is_shown_before_a_replay(spool: Path) -> None:
    """It may be why; a fresh process decides."""
    one = said(spool, FOUND)
    assert one.verdict == "not decidable"
    assert one.evidence == (
        f"{NAMED}; loop26 replay {SEGMENT} decides whether that is why; its process had run 1 task "
        "before it"
    )


def test_a_replay_that_goes_well_confirms_what_was_found(spool: Path) -> None:
    """Naming it."""
    one = said(spool, FOUND, same=False)
    assert one.verdict == "confirmed"
    assert one.evidence.startswith(f"{FRESH}; {NAMED}; ")


def test_a_replay_that_fails_in_the_same_way_rules_it_out(spool: Path) -> None:
    """Whatever was found."""
    assert said(spool, FOUND, same=True).verdict == "ruled out"


def test_what_is_found_by_the_first_task_of_a_process_confirms_nothing(spool: Path) -> None:
    """Nobody can have left it; it is told all the same."""
    assert said(spool, FOUND, before=0, same=False).verdict == "not decidable"
    one = said(spool / "again", FOUND, before=0)
    assert one.evidence.startswith(f"its engine found changed when it began: {FOUND[0]}, ")
    assert one.evidence.endswith("; but it was the first task of its process")


@pytest.mark.parametrize(("same", "word"), [(None, "not decidable"), (False, "confirmed")])
def test_that_nothing_was_changed_is_told(spool: Path, word: str, *, same: bool | None) -> None:
    """The verdict is the replay's as ever: an engine does not look after all there is."""
    one = said(spool, [], same=same)
    assert one.verdict == word
    assert "nothing that its engine looks after had been changed by an earlier task" in one.evidence


@pytest.mark.parametrize("same", [None, False])
def test_of_an_engine_that_does_not_look_nothing_is_told(spool: Path, same: bool | None) -> None:  # noqa: FBT001 - a parameter
    """Nobody knows."""
    assert "changed" not in said(spool, None, same=same).evidence


def after_another(spool: Path, found: list[str] | None, left: list[str]) -> HypothesisFound:
    """Have one process do another task of the journey first; return the verdict on the second."""
    recorder = Recorder.open(spool, role="task")

    def generates(_: Recorder) -> None:
        with recorder.engine_call("generate", engine="wan2gp", model=MODEL) as span:
            span.set({names.ENGINE_STATE_LEFT: left})

    for task_id, work in ((ANOTHER, generates), (SEGMENT, finding(found))):
        given = {"task_id": task_id, "attempt": 1, "trace_id": TRACE, "worker_id": "w"}
        about = {names.TASK_ID: task_id, names.TASK_ATTEMPT: 1}
        with (
            recorder.task(task_type="travel_segment", **given),
            recorder.span(names.process("travel_segment"), about, trace_id=TRACE),
        ):
            try:
                work(recorder)
            except AttributeError as exc:
                recorder.error(exc)
    recorder.close()
    return verdict(Attempted(spool=spool).found(), POLLUTION)


def test_who_left_it_is_named_where_the_record_has_that(spool: Path) -> None:
    """An earlier task of the same journey, in the same process."""
    one = after_another(spool, FOUND, LEFT)
    assert one.evidence.startswith(f"{NAMED}, as task {ANOTHER} did; ")


@pytest.mark.parametrize(
    ("found", "then"),
    [(None, "what this one found is not recorded"), ([], "this one found none of it")],
)
def test_what_another_left_is_told_without_what_was_found(
    spool: Path, found: list[str] | None, then: str
) -> None:
    """It failed before it looked; or what was left went away by itself."""
    one = after_another(spool, found, LEFT)
    assert one.verdict == "not decidable"
    assert one.evidence.startswith(
        f"task {ANOTHER} before it in this process had left changed: {', '.join(LEFT)}; {then}; "
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('["a", "b"]', "a, b"),
        ("one text", "one text"),
        ([f"x{n}" for n in range(20)], "and 8 more"),
    ],
)
def test_a_list_is_read_as_backends_keep_it_and_cut_where_it_is_long(
    spool: Path, value: Any, shown: str
) -> None:
    """Some make JSON of it."""
    assert shown in said(spool, value).evidence


def test_every_form_of_the_report_shows_it(spool: Path) -> None:
    """Terminal, Markdown, page and JSON."""
    found = investigated(spool, FOUND)
    for text in (plain(found), markdown(found), page(found), msgspec.json.encode(found).decode()):
        assert "the abort flag was set" in " ".join(text.split())
