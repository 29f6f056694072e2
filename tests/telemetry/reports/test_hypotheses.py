"""Verdicts: each of the three for each cause, out of real records, and none that is not earned."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry import Recorder, names
from telemetry.death import HANG, from_returncode, lost
from telemetry.journal.directory import journal_files
from telemetry.records import ExceptionFacts, Frame, ProcessEnd
from telemetry.reports.findings import HypothesisFound, Investigation, ReplayFound
from telemetry.reports.hypotheses import (
    ITERATOR,
    LAZY,
    LOGGING,
    MUTATED,
    PHASES,
    POLLUTION,
    RACE,
    TIMEOUT,
)
from telemetry.reports.investigate import investigate
from tests.telemetry.conftest import at
from tests.telemetry.reports.recorded import (
    DEFAULTS,
    WORKER,
    Attempted,
    dies,
    history,
    incident,
    segment,
    verdict,
)

KILLED = from_returncode(-9)
HUNG = ProcessEnd(at_ns=at(0), kind=HANG, signal="SIGKILL", message="no progress for 600 s")
ENDED = ("inserted", "claimed", "started", "failed")
ROW_OF_THE_INCIDENT = {
    "kind": "exception",
    "type": "AttributeError",
    "message": "'NoneType' object has no attribute 'get'",
    "file": "/opt/Wan2GP/wgp.py",
    "line": 3907,
    "function": "get_model_min_frames_and_step",
    "stage": "parameters",
    "loop_index": 32,
    "loop_count": 32,
}


class DefaultsChanged(Exception):
    """Named as the worker's own."""


class SimpleLazyObject:
    """A value that would be made when it is looked at."""

    def __getattr__(self, name: str) -> Any:
        """Fail as the real one does that has nothing to give."""
        raise AttributeError(name)


@dataclass
class Holder:
    """A value that has a lazy one in a field."""

    config: SimpleLazyObject


def parse_phase_config(text: str) -> Any:
    """Parse a phase config."""
    return {"phases": int(text)}


def passes_through_phases() -> None:
    """Fail in the parsing of a phase config."""
    parse_phase_config("two")


def changes_what_it_walks() -> None:
    """Change a dictionary while it is walked through."""
    walked = {"one": 1}
    for key in walked:
        walked[f"{key}+"] = 2


def counts_with_a_lazy_value() -> None:
    """Use a lazy value as a number."""
    frames = SimpleLazyObject()
    range(frames)  # type: ignore[call-overload]  # the failure


def looks_into_a_lazy_value() -> None:
    """Ask a lazy value for what it does not have."""
    settings = SimpleLazyObject()
    settings.frames_minimum  # noqa: B018 - asking is what fails


def wraps_a_timeout() -> None:
    """Pass a timeout on as an engine does."""
    try:
        is_too_slow()
    except TimeoutError as slow:
        raise RuntimeError("generation failed") from slow


def is_too_slow() -> None:
    """Take too long."""
    raise TimeoutError("too slow")


def of_death(spool: Path, end: ProcessEnd, iteration: int = 9) -> Attempted:
    """Record an attempt whose process ends in an iteration."""

    def work(recorder: Recorder) -> None:
        segment(recorder, stop=lambda index: dies(recorder) if index == iteration else None)

    return Attempted(spool=spool).run(work, end)


def raising(spool: Path, act: Callable[[], None], iteration: int = 0) -> Attempted:
    """Record an attempt that does something in an iteration, or after the loop."""
    stop = (lambda index: act() if index == iteration else None) if iteration else lambda _: None
    return Attempted(spool=spool).run(
        lambda recorder: segment(recorder, stop=stop, after=act if not iteration else lambda: None)
    )


def said(found: Investigation, name: str) -> tuple[str, str]:
    """Return a verdict and its evidence."""
    one = verdict(found, name)
    return one.verdict, one.evidence


def without_tail(attempted: Attempted, of: str) -> Attempted:
    """Cut the task process's journal off behind the begin of a parameter's iteration."""
    [file] = journal_files(attempted.task_journal).values()
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(of.encode()) + 400])
    return attempted


# Timeout or hang in the loop.


def test_a_loop_that_finished_did_not_hang(spool: Path) -> None:
    """The incident: 32 of 32, and the slowest iteration is named with its time."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), TIMEOUT)
    assert word == "ruled out"
    assert evidence.startswith("32 of 32 iterations had ended before it failed, the last at 20")
    assert "the slowest, " in evidence


def test_a_hang_in_an_iteration_is_confirmed(spool: Path) -> None:
    """The record is whole, and the ninth of 32 had begun."""
    word, evidence = said(of_death(spool, HUNG).found(), TIMEOUT)
    assert word == "confirmed"
    assert evidence.startswith("no progress for 600 s (8 of 32 iterations are recorded as ended")


def test_a_hang_before_the_loop_is_none_in_it(spool: Path) -> None:
    """The stage is the same, and no iteration had begun."""

    def work(recorder: Recorder) -> None:
        with (
            recorder.stage("parameters"),
            recorder.engine_call("default_settings", engine="wan2gp", model="m"),
        ):
            dies(recorder)

    word, evidence = said(Attempted(spool=spool).run(work, HUNG).found(), TIMEOUT)
    assert (word, evidence) == (
        "ruled out",
        "no progress for 600 s: no iteration of the loop had begun",
    )


def test_a_hang_after_the_loop_is_none_in_it(spool: Path) -> None:
    """Engines hang, too."""

    def work(recorder: Recorder) -> None:
        segment(recorder)
        with recorder.stage("generate"):
            dies(recorder)

    assert said(Attempted(spool=spool).run(work, HUNG).found(), TIMEOUT)[0] == "ruled out"


def test_a_timeout_that_is_raised_in_an_iteration_is_confirmed(spool: Path) -> None:
    """An exception may say it as well as a supervisor."""
    assert said(raising(spool, is_too_slow, 5).found(), TIMEOUT)[0] == "confirmed"


def test_a_timeout_behind_another_exception_is_not_overlooked(spool: Path) -> None:
    """The engine wraps what it catches."""
    assert said(raising(spool, wraps_a_timeout, 5).found(), TIMEOUT)[0] == "confirmed"


def test_a_timeout_of_a_download_is_none_of_the_loop(spool: Path) -> None:
    """It was raised in another stage."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("inputs"):
            raise TimeoutError("no answer")

    assert said(Attempted(spool=spool).run(work).found(), TIMEOUT)[0] == "ruled out"


def test_another_exception_in_the_loop_is_no_timeout(spool: Path) -> None:
    """It was raised, which nothing that hangs does."""
    word, evidence = said(raising(spool, passes_through_phases, 9).found(), TIMEOUT)
    assert word == "ruled out"
    assert "ValueError was raised" in evidence
    assert "9 of 32 had begun" in evidence


def test_a_process_that_is_killed_in_a_young_iteration_did_not_hang(spool: Path) -> None:
    """The iteration's age is the fact."""
    word, evidence = said(of_death(spool, from_returncode(-9)).found(), TIMEOUT)
    assert word == "ruled out"
    assert "old when the process died" in evidence
    assert "9 of 32 had begun" in evidence


def test_a_process_that_is_killed_in_an_old_iteration_may_have_hung(spool: Path) -> None:
    """Somebody may have killed it for that."""
    attempted = of_death(spool, from_returncode(-9, at_ns=2 * 10**18))
    word, evidence = said(attempted.found(), TIMEOUT)
    assert word == "not decidable"
    assert "min" in evidence


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError(
            "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(OpType=ALLREDUCE) "
            "ran for 600000 milliseconds before timing out."
        ),
        OSError("[Errno 110] Connection timed out"),
        OSError("<urlopen error timed out>"),
        OSError("The read operation timed out"),
    ],
)
def test_a_timeout_that_only_the_message_tells_is_confirmed(spool: Path, raised: Exception) -> None:
    """What watches over a device, or an operating system, has its own words for it."""

    def act() -> None:
        raise raised

    assert said(raising(spool, act, 5).found(), TIMEOUT)[0] == "confirmed"


@pytest.mark.parametrize(
    "raised",
    [
        ValueError("the timeout parameter is wrong"),
        RuntimeError("generation failed for a runner who timed out"),
        Exception("engine: timing out"),
    ],
)
def test_a_message_that_may_speak_of_a_timeout_decides_nothing(
    spool: Path, raised: Exception
) -> None:
    """Whose words they are is not known."""

    def act() -> None:
        raise raised

    word, evidence = said(raising(spool, act, 5).found(), TIMEOUT)
    assert word == "not decidable"
    assert "may speak of a timeout" in evidence


def test_a_timeout_in_quotes_is_a_value(spool: Path) -> None:
    """What Python complains of is quoted by it."""

    def act() -> None:
        int("timed out")

    assert said(raising(spool, act, 5).found(), TIMEOUT)[0] == "ruled out"


def test_an_end_that_nobody_saw_before_the_loop_does_not_rule_out_a_hang(spool: Path) -> None:
    """A power loss ends a record like that: iterations may have been lost with it."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("parameters"):
            dies(recorder)

    word, evidence = said(Attempted(spool=spool).run(work, lost()).found(), TIMEOUT)
    assert word == "not decidable"
    assert evidence == "nobody saw when the process ended; no iteration of the loop is recorded"


@pytest.mark.parametrize("kind", ["lost", "WorkerLost"])
def test_an_end_that_nobody_saw_decides_nothing_of_a_hang(spool: Path, kind: str) -> None:
    """When it ended is not known, so how old the iteration was is not either."""
    attempted = of_death(spool, msgspec.structs.replace(lost(), kind=kind))
    assert said(attempted.found(), TIMEOUT)[0] == "not decidable"
    assert said(attempted.found(), ITERATOR)[0] == "not decidable"


def test_a_hang_in_a_record_with_a_hole_is_not_decided(spool: Path) -> None:
    """The iteration that seems open may have ended in the hole."""
    attempted = of_death(spool, HUNG, iteration=20)
    damaged(attempted, "num_inference_steps")
    found = attempted.found()
    assert not found.completeness.complete
    word, evidence = said(found, TIMEOUT)
    assert (word, evidence) == (
        "not decidable",
        "the record is incomplete: it does not have the end of the loop",
    )


def damaged(attempted: Attempted, of: str) -> None:
    """Destroy a record of the task process's journal."""
    file = journal_files(attempted.task_journal)[1]
    whole = bytearray(file.read_bytes())
    place = whole.index(of.encode())
    whole[place : place + len(of)] = bytes(len(of))
    file.write_bytes(whole)


# The same mirage as in the incident: the tail is lost, and the row has the whole truth.


@pytest.fixture
def mirage(spool: Path) -> Investigation:
    """The incident, cut off in LOOP 26 as it was then; the row knows of 32 of 32."""
    attempted = without_tail(Attempted(spool=spool).run(incident), "guidance_phases")
    return attempted.found({"error": ROW_OF_THE_INCIDENT}, events=history(*ENDED))


def test_a_lost_tail_makes_the_record_incomplete(mirage: Investigation) -> None:
    """26 iterations are there, and nobody says that it stopped there."""
    assert not mirage.completeness.complete
    assert mirage.loop.completed in (25, 26)
    assert "26" not in mirage.says
    assert "get_model_min_frames_and_step" in mirage.says


def test_a_lost_tail_does_not_confirm_a_hang(mirage: Investigation) -> None:
    """The row's own error says that all 32 had begun."""
    word, evidence = said(mirage, TIMEOUT)
    assert word == "not decidable"
    assert "the error itself says that 32 of 32 had begun" in evidence


@pytest.mark.parametrize("name", [PHASES, MUTATED, ITERATOR, LOGGING, LAZY, POLLUTION])
def test_what_a_lost_tail_would_have_shown_is_not_decided(mirage: Investigation, name: str) -> None:
    """Neither digest, nor frames, nor locals, nor what it was raised from are there."""
    assert said(mirage, name)[0] == "not decidable"


def test_the_record_of_a_supervisor_alone_rules_nothing_out(spool: Path) -> None:
    """It is whole, and has nothing of what the task did."""
    attempted = Attempted(spool=spool).run(incident)
    shutil.rmtree(attempted.task_journal)
    found = attempted.found({"error": {"kind": "death", "type": "sigkill", "message": "killed"}})
    assert not found.completeness.complete
    assert said(found, TIMEOUT)[0] == "not decidable"


def test_without_any_record_only_the_row_decides(spool: Path) -> None:
    """And says that nothing is recorded."""
    found = Attempted(spool=spool).found({"error": {"kind": "hang", "type": "hang"}})
    assert {one.verdict for one in found.hypotheses} <= {"not decidable", "ruled out"}
    assert said(found, TIMEOUT)[1] == (
        "nothing is recorded of this attempt, and so not the end of the loop"
    )


# Exception in phase-config parsing.


def test_an_exception_in_the_parsing_of_phases_is_confirmed(spool: Path) -> None:
    """With the frame it passed through."""
    word, evidence = said(raising(spool, passes_through_phases, 26).found(), PHASES)
    assert word == "confirmed"
    assert "in parse_phase_config" in evidence


def test_an_exception_elsewhere_passed_through_no_phases(spool: Path) -> None:
    """The frames are the fact."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), PHASES)
    assert word == "ruled out"
    assert evidence.startswith("none of the ")


def test_a_folder_named_for_phases_is_no_parsing_of_them(spool: Path) -> None:
    """A checkout may lie anywhere."""
    attempted = Attempted(spool=spool).run(incident)
    found = with_frames(
        attempted, Frame(file="/srv/phase_config_fix/wan/wgp.py", line=1, function="generate")
    )
    assert said(found, PHASES)[0] == "ruled out"


def test_frames_that_were_left_out_may_have_been_of_phases(spool: Path) -> None:
    """A stack too deep to be taken down whole."""
    attempted = Attempted(spool=spool).run(incident)
    found = with_frames(
        attempted, Frame(file="/a.py", line=1, function="deep"), context={"frames_left_out": 900}
    )
    assert said(found, PHASES)[0] == "not decidable"
    assert "900 more were not taken down" in said(found, LOGGING)[1]


def test_a_hang_in_the_parsing_of_phases_raised_nothing(spool: Path) -> None:
    """The stack is there, and is no exception's."""
    found = hung_in(spool, Frame(file="/app/worker/params/phases.py", line=50, function="parse"))
    word, evidence = said(found, PHASES)
    assert (word, evidence) == ("ruled out", "no exception was raised: no progress for 600 s")


def with_frames(
    attempted: Attempted, *frames: Frame, context: dict[str, Any] | None = None
) -> Investigation:
    """Investigate an attempt whose error has these frames."""
    case = attempted.case()
    assert case.model is not None
    error = attempted.error
    assert error is not None
    chain = [ExceptionFacts(type="E", module="m", message="", frames=list(frames))]
    changed = msgspec.structs.replace(error, chain=chain, context=context or {})
    return investigated(attempted, changed)


def investigated(attempted: Attempted, error: Any) -> Investigation:
    """Investigate an attempt that has another error in its journal."""
    case = attempted.case()
    assert case.model is not None
    parts = tuple(
        replace(part, errors=(error,)) if part.errors else part for part in case.model.processes
    )
    return investigate(replace(case, model=replace(case.model, processes=parts)))


def hung_in(spool: Path, *frames: Frame) -> Investigation:
    """Investigate a hang before the loop whose stack was asked for."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("parameters"):
            dies(recorder)

    attempted = Attempted(spool=spool).run(work, HUNG)
    assert attempted.error is not None
    chain = [ExceptionFacts(type=HANG, module="", message="", frames=list(frames))]
    return investigated(attempted, msgspec.structs.replace(attempted.error, chain=chain))


def test_a_death_that_was_seen_raised_nothing(spool: Path) -> None:
    """SIGKILL is no exception."""
    word, evidence = said(of_death(spool, from_returncode(-9)).found(), PHASES)
    assert word == "ruled out"
    assert evidence.startswith("no exception was raised: the process died of SIGKILL")


def test_the_place_on_the_row_may_confirm_what_no_stack_can(spool: Path) -> None:
    """One frame can say yes, and never no."""
    place = {"file": "/app/worker/params/phases.py", "line": 50, "function": "_steps"}
    found = Attempted(spool=spool).found({"error": {**ROW_OF_THE_INCIDENT, **place}})
    assert said(found, PHASES)[0] == "confirmed"


def test_an_end_that_nobody_saw_before_the_loop_decides_nothing(spool: Path) -> None:
    """It may have been raised, and never written."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("parameters"):
            dies(recorder)

    assert said(Attempted(spool=spool).run(work, lost()).found(), PHASES)[0] == "not decidable"


@pytest.mark.parametrize("name", [PHASES, LOGGING])
def test_a_text_alone_does_not_say_what_it_passed_through(spool: Path, name: str) -> None:
    """An engine has caught it, and passed on what it said: its frames are nobody's."""
    found = of_a_text(spool, "phase_config: no such phase")
    word, evidence = said(found, name)
    assert word == "not decidable"
    assert "of 'phase_config: no such phase' only the text was passed on" in evidence


def of_a_text(spool: Path, text: str) -> Investigation:
    """Investigate a failure behind which an engine's text is, and nothing else."""
    attempted = Attempted(spool=spool).run(incident)
    assert attempted.error is not None
    behind = {"caused_by": {"type": "Reported", "message": text}}
    return investigated(attempted, msgspec.structs.replace(attempted.error, context=behind))


# Race with a concurrent status update.


@pytest.mark.parametrize("other", ["cancelled", "cascaded", "worker_lost"])
def test_what_another_wrote_while_it_ran_confirms_a_race(spool: Path, other: str) -> None:
    """With who did it."""
    events = history("inserted", "claimed", other, "failed", reason="operator")
    word, evidence = said(Attempted(spool=spool).run(incident).found(events=events), RACE)
    assert word == "confirmed"
    assert f"the queue has '{other}' while it ran" in evidence
    assert "reason operator" in evidence


def test_what_another_wrote_before_or_after_it_is_no_race(spool: Path) -> None:
    """An earlier attempt was lost; a relative fell after the end."""
    events = history("claimed", "worker_lost", "claimed", "failed", "cascaded", worker_id=WORKER)
    word, evidence = said(Attempted(spool=spool).run(incident).found(events=events), RACE)
    assert word == "ruled out"
    assert evidence == (
        f"after its claim by {WORKER} the queue has only this attempt's own events: failed"
    )


def test_a_late_call_of_an_earlier_claim_is_no_race_of_this_one(spool: Path) -> None:
    """A superseded claim may call late: it is fenced."""
    events = [
        *history("claimed", "worker_lost", worker_id="gpu-1"),
        *history("claimed", attempt=2, worker_id="gpu-2"),
        *history("refused", worker_id="gpu-1", call="complete", reason="its lease expired"),
        *history("failed", attempt=2, worker_id="gpu-2"),
    ]
    found = Attempted(spool=spool).run(incident).found(events=events)
    assert said(found, RACE)[0] == "ruled out"


def test_a_refused_call_of_this_very_attempt_is_a_race(spool: Path) -> None:
    """Another application has set the status to Failed while it ran."""
    reason = "the task was set to 'Failed' by another application"
    events = [
        *history("claimed", "started", worker_id=WORKER),
        *history("refused", worker_id=WORKER, call="fail", reason=reason),
    ]
    word, evidence = said(Attempted(spool=spool).run(incident).found(events=events), RACE)
    assert word == "confirmed"
    assert reason in evidence


def test_a_second_call_after_its_own_end_is_no_race(spool: Path) -> None:
    """An answer was lost, and the worker asked again."""
    events = [
        *history("claimed", "failed", worker_id=WORKER),
        *history("refused", worker_id=WORKER, call="complete", reason="it was settled by fail"),
    ]
    found = Attempted(spool=spool).run(incident).found(events=events)
    assert said(found, RACE)[0] == "ruled out"


def test_a_second_claim_while_the_first_had_not_ended_is_a_race(spool: Path) -> None:
    """Another application has set the status to Queued while the first worker ran."""
    reason = "the task was set to 'In Progress' by another application"
    events = [
        *history("claimed", "started", worker_id="gpu-1"),
        *history("claimed", attempt=2, worker_id="gpu-2"),
        *history("refused", worker_id="gpu-1", call="complete", reason=reason),
        *history("failed", attempt=2, worker_id="gpu-2"),
    ]
    word, evidence = said(Attempted(spool=spool).run(incident).found(events=events), RACE)
    assert word == "confirmed"
    assert evidence == (
        "it was claimed by gpu-2 (attempt 2) while the claim by gpu-1 (attempt 1) had not ended; "
        f"gpu-1's call was refused later: {reason}"
    )


@pytest.mark.parametrize(
    "end", ["failed", "died", "retried", "released", "spawned", "worker_lost", "cascaded"]
)
def test_a_second_claim_after_the_first_has_ended_is_no_race(spool: Path, end: str) -> None:
    """It is the next attempt."""
    events = [*history("claimed", end), *history("claimed", "failed", attempt=2)]
    found = Attempted(spool=spool).run(incident).found(events=events)
    assert said(found, RACE)[0] == "ruled out"


def test_the_worker_that_was_lost_is_the_death_itself(spool: Path) -> None:
    """The lease ran out because the machine was gone, not the other way round."""
    events = history("claimed", "worker_lost", "failed")
    assert said(of_death(spool, lost()).found(events=events), RACE)[0] == "ruled out"


def test_a_source_without_the_queues_history_decides_no_race(spool: Path) -> None:
    """Jaeger has none."""
    attempted = Attempted(spool=spool).run(incident)
    assert said(attempted.found(), RACE) == (
        "not decidable",
        "this source has no history of the queue",
    )


def test_a_history_without_the_claim_decides_no_race(spool: Path) -> None:
    """The rows of another application's queue."""
    found = Attempted(spool=spool).run(incident).found(events=history("inserted"))
    assert said(found, RACE)[0] == "not decidable"


def test_a_status_that_left_no_history_decides_no_race(spool: Path) -> None:
    """Somebody has written Failed past the queue: perhaps while it ran."""
    found = Attempted(spool=spool).run(incident).found(events=history("claimed", "started"))
    word, evidence = said(found, RACE)
    assert word == "not decidable"
    assert "does not have this attempt's end" in evidence


# Model defaults mutated or corrupted.


def test_equal_digests_rule_out_that_defaults_changed(spool: Path) -> None:
    """Before iteration 1, and after 32 of 32."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), MUTATED)
    assert word == "ruled out"
    assert evidence == (
        "the digest of the 32 defaults is d1d1d1d1d1d1 before iteration 1, "
        "and the same after 32 of 32"
    )


def test_other_digests_confirm_that_defaults_changed(spool: Path) -> None:
    """Both are told."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("parameters") as span:
            span.set({names.DEFAULTS_BEFORE: "aa" * 32})
            span.set({names.DEFAULTS_AFTER: "bb" * 32})
            raise ValueError("no")

    word, evidence = said(Attempted(spool=spool).run(work).found(), MUTATED)
    assert word == "confirmed"
    assert evidence == "their digest is aaaaaaaaaaaa before the loop and bbbbbbbbbbbb after"


def test_the_workers_own_check_confirms_that_defaults_changed(spool: Path) -> None:
    """Its message has both digests."""

    def act() -> None:
        raise DefaultsChanged("the defaults of wan changed: aa before the loop, bb after")

    word, evidence = said(raising(spool, act).found(), MUTATED)
    assert (word, evidence) == (
        "confirmed",
        "the defaults of wan changed: aa before the loop, bb after",
    )


def test_a_death_in_the_loop_leaves_one_digest(spool: Path) -> None:
    """Which decides nothing."""
    assert said(of_death(spool, from_returncode(-9)).found(), MUTATED)[0] == "not decidable"


# Iterator invalidated.


def test_a_dictionary_that_changed_while_it_was_walked_is_confirmed(spool: Path) -> None:
    """In Python's own words."""
    word, evidence = said(raising(spool, changes_what_it_walks, 9).found(), ITERATOR)
    assert word == "confirmed"
    assert evidence == "RuntimeError: dictionary changed size during iteration"


def test_such_an_exception_behind_another_is_confirmed(spool: Path) -> None:
    """The engine raises one of its own."""

    def act() -> None:
        try:
            changes_what_it_walks()
        except RuntimeError as cause:
            raise ValueError("generation failed") from cause

    assert said(raising(spool, act, 9).found(), ITERATOR)[0] == "confirmed"


def test_a_text_that_speaks_of_iteration_is_no_iterators(spool: Path) -> None:
    """A prompt may say anything."""

    def act() -> None:
        raise ValueError("bad prompt: 'size during iteration'")

    assert said(raising(spool, act, 9).found(), ITERATOR)[0] == "ruled out"


def test_a_loop_that_came_to_its_end_had_a_good_iterator(spool: Path) -> None:
    """Each index once, in order."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), ITERATOR)
    assert word == "ruled out"
    assert evidence == "the loop came to its end: 32 of 32, each index once, in order"


def test_a_hang_does_not_rule_out_an_endless_iterator(spool: Path) -> None:
    """A list that grows while it is walked never ends."""
    assert said(of_death(spool, HUNG).found(), ITERATOR)[0] == "not decidable"


# Exception inside logging.


def test_an_exception_in_a_logging_handler_is_confirmed(spool: Path) -> None:
    """It passed through the logging package."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(f"no room for {record.name}")

    log = logging.Logger("task")  # noqa: LOG001 - no other test is to have its handler
    log.addHandler(Broken())
    word, evidence = said(raising(spool, lambda: log.error("LOOP"), 9).found(), LOGGING)
    assert word == "confirmed"
    assert "logging/__init__.py" in evidence


def test_no_frame_of_logging_rules_it_out(spool: Path) -> None:
    """The frames are the fact."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), LOGGING)
    assert word == "ruled out"
    assert evidence.endswith("frames of what was raised is of logging or of telemetry")


def test_a_hang_in_logging_is_seen_without_module_names(spool: Path) -> None:
    """The other mirage: a log buffer that locked itself. A dumped stack has files alone."""
    found = hung_in(
        spool, Frame(file="/usr/lib/python3.11/logging/__init__.py", line=9, function="acquire")
    )
    word, evidence = said(found, LOGGING)
    assert word == "confirmed"
    assert evidence.startswith("it was in /usr/lib/python3.11/logging/__init__.py:9")


def test_a_death_without_a_stack_decides_nothing_of_logging(spool: Path) -> None:
    """SIGKILL leaves none."""
    assert said(of_death(spool, from_returncode(-9)).found(), LOGGING)[0] == "not decidable"


# Engine state pollution.


def replayed(spool: Path, *, same: bool, before: int | None = 1) -> HypothesisFound:
    """Return the verdict after a replay, of a process that had had so many tasks before."""
    seen = ReplayFound(at="2026-02-24T15:00:00Z", same=same, says="it did not fail")
    attempted = Attempted(spool=spool).run(incident)
    return verdict(after_tasks(attempted, before, replayed=seen), POLLUTION)


def test_before_a_replay_pollution_is_not_decided(spool: Path) -> None:
    """What its process had run before is told."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), POLLUTION)
    assert word == "not decidable"
    assert evidence.endswith("; it was the first task of its process")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "what its process had run before is not recorded"),
        (1, "its process had run 1 task before it"),
        (2, "its process had run 2 tasks before it"),
    ],
)
def test_what_the_process_had_run_before_is_told(
    spool: Path, count: int | None, words: str
) -> None:
    """In numbers, of whatever trace those tasks were."""
    found = after_tasks(Attempted(spool=spool).run(incident), count)
    assert said(found, POLLUTION)[1] == f"decided by a replay in a fresh process; {words}"


def test_a_record_with_holes_does_not_say_that_it_was_the_first_task(
    mirage: Investigation,
) -> None:
    """What came before may be among what is lost."""
    assert said(mirage, POLLUTION)[1].endswith(
        "; no task that its process had run before is in the record, which is incomplete"
    )


def after_tasks(attempted: Attempted, count: int | None, **facts: Any) -> Investigation:
    """Investigate an attempt whose process had had so many tasks before."""
    case = attempted.case(**facts)
    assert case.model is not None
    parts = tuple(
        replace(part, read=tuple(one._replace(tasks_before=count or 0) for one in part.read))
        for part in case.model.processes
    )
    if count is None:
        parts = tuple(replace(part, read=()) for part in parts)
    return investigate(replace(case, model=replace(case.model, processes=parts)))


def test_the_same_failure_in_a_fresh_process_rules_pollution_out(spool: Path) -> None:
    """With when."""
    found = replayed(spool, same=True)
    assert found.verdict == "ruled out"
    assert "2026-02-24T15:00:00Z" in found.evidence


def test_no_failure_in_a_fresh_process_confirms_pollution(spool: Path) -> None:
    """In the replay's own words."""
    found = replayed(spool, same=False)
    assert found.verdict == "confirmed"
    assert found.evidence.endswith(
        ": it did not fail; its process had run 1 task before it; a chance of the machine is not "
        "excluded"
    )


def test_the_first_task_of_a_process_was_polluted_by_none(spool: Path) -> None:
    """That it does not fail again is chance, the machine's doing or a race."""
    found = replayed(spool, same=False, before=0)
    assert found.verdict == "not decidable"
    assert found.evidence == (
        "replayed in a fresh process at 2026-02-24T15:00:00Z: it did not fail; but it was the "
        "first task of its process: chance, the machine or a race may explain it"
    )


def test_a_process_of_which_nothing_is_known_may_have_run_no_task_before(spool: Path) -> None:
    """Where the source does not know, neither does the verdict."""
    assert replayed(spool, same=False, before=None).verdict == "not decidable"


# A value that is a proxy or lazy object.


def test_a_lazy_object_in_the_failing_line_is_confirmed(spool: Path) -> None:
    """By its class, without looking into it."""
    word, evidence = said(raising(spool, counts_with_a_lazy_value).found(), LAZY)
    assert word == "confirmed"
    assert evidence.startswith("frames is ")
    assert evidence.endswith(".SimpleLazyObject")


def test_a_failing_line_of_a_lazy_object_itself_is_confirmed(spool: Path) -> None:
    """Its values may be as plain as can be."""
    word, evidence = said(raising(spool, looks_into_a_lazy_value).found(), LAZY)
    assert word == "confirmed"
    assert evidence.endswith("in SimpleLazyObject.__getattr__")


@pytest.mark.parametrize(
    "holder",
    [
        {"config": SimpleLazyObject()},
        [1, SimpleLazyObject()],
        {"models": [{"config": SimpleLazyObject()}]},
        Holder(config=SimpleLazyObject()),
    ],
)
def test_a_lazy_object_within_a_value_decides_nothing(spool: Path, holder: Any) -> None:
    """The line may have asked it, or not."""

    def act() -> None:
        given = holder
        int(given)

    word, evidence = said(raising(spool, act).found(), LAZY)
    assert word == "not decidable"
    assert evidence.startswith("given holds ")
    assert "SimpleLazyObject" in evidence
    assert evidence.endswith("whether the line asked it is not known")


def test_plain_values_in_the_failing_line_rule_it_out(spool: Path) -> None:
    """They are told."""
    word, evidence = said(Attempted(spool=spool).run(incident).found(), LAZY)
    assert word == "ruled out"
    assert evidence == ("the values of the failing line are plain: entry = None, model_type = ''")


@pytest.mark.parametrize(
    "prompt", ["<lazy>", "<lora:lazyriver:0.8>", "a <lazy.fox> runs", "lazy.river"]
)
def test_a_prompt_that_looks_like_an_object_is_a_text(spool: Path, prompt: str) -> None:
    """LoRAs are named so in prompts."""

    def act() -> None:
        text = prompt
        int(text)

    assert said(raising(spool, act).found(), LAZY)[0] == "ruled out"


def test_without_locals_nothing_is_decided_of_lazy_values(spool: Path) -> None:
    """A death leaves none."""
    assert said(of_death(spool, from_returncode(-9)).found(), LAZY)[0] == "not decidable"


# All of them.


def test_a_task_that_did_not_fail_has_no_causes(spool: Path) -> None:
    """Nothing is to be explained."""
    found = Attempted(spool=spool).run(segment).found({"status": "Complete"})
    assert found.hypotheses == []


def test_a_swallowed_exception_behind_the_failure_is_looked_at_too(spool: Path) -> None:
    """Its frames are in the record of the handled error, not in the chain."""

    def work(recorder: Recorder) -> None:
        def swallows() -> None:
            try:
                passes_through_phases()
            except ValueError as exc:
                recorder.errors.handled(exc, "callback")
            raise RuntimeError("generation failed: invalid literal for int() with base 10: 'two'")

        segment(recorder, after=swallows)

    found = Attempted(spool=spool).run(work).found()
    assert found.failure is not None
    assert found.failure.caused_by
    assert said(found, PHASES)[0] == "confirmed"


def test_every_cause_has_a_verdict_in_a_fixed_order(spool: Path) -> None:
    """So that two reports can be read beside each other."""
    found = Attempted(spool=spool).run(incident).found()
    assert [one.name for one in found.hypotheses] == [
        TIMEOUT,
        PHASES,
        RACE,
        MUTATED,
        ITERATOR,
        LOGGING,
        POLLUTION,
        LAZY,
    ]
    assert len(DEFAULTS) == 32
