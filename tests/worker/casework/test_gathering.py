"""Casework: whichever id is asked for, the root cause is found, with what belongs to it."""

import json
import os
import shlex
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from telemetry import Recorder, names
from telemetry.journal import process_directories
from telemetry.journal.directory import journal_files
from telemetry.reports import html, terminal
from telemetry.reports.case import Case
from telemetry.reports.investigate import investigate
from telemetry.reports.markdown import markdown
from telemetry.reports.sources import blackbox
from tests.telemetry.reports.recorded import Attempted, incident, segment
from worker.casework.failed_attempts import failed_attempts
from worker.output.storage import black_box_of

from .conftest import FAILURE, Bench

# Whichever id is asked for.


def test_every_id_of_a_journey_leads_to_the_same_cause(bench: Bench) -> None:
    """The orchestrator's, a fallen segment's, and the failed one's own."""
    orchestrator, segments = bench.journey(13)
    root = bench.fail(bench.claim())
    for asked in (orchestrator, *segments):
        case = bench.case(asked)
        assert (case.asked, case.task.id) == (str(asked), str(root))
        assert len(case.relatives) == 13
    found = investigate(bench.case(orchestrator))
    assert found.failure is not None
    assert found.failure.location.line == 3907
    assert sum(one.because == f"failed because of {root}" for one in found.relatives) == 13


def test_a_task_that_fell_without_a_journey_is_among_the_relatives(bench: Bench) -> None:
    """It depended on the one that failed, and nothing else ties them."""
    first = bench.insert()
    second = bench.insert(dependant_on=(first,))
    bench.fail(bench.claim())
    case = bench.case(second)
    assert case.task.id == str(first)
    assert [row.id for row in case.relatives] == [str(second)]


def test_a_cascade_that_only_a_message_tells_of_is_followed(bench: Bench) -> None:
    """So wrote the application of the incident: 13 rows, and no error beside the text."""
    root = bench.insert()
    bench.fail(bench.claim())
    fallen = bench.insert()
    bench.write(
        fallen, status="Failed", error_message=f"Cascaded failed from related task {root}: no get"
    )
    assert bench.case(fallen).task.id == str(root)


def test_a_cause_of_a_cause_is_followed_to_its_end(bench: Bench) -> None:
    """Rows of others may name the one next to them."""
    root, middle, leaf = (bench.insert() for _ in range(3))
    bench.fail(bench.claim())
    for task_id, cause in ((middle, root), (leaf, middle)):
        bench.write(
            task_id, status="Failed", error=json.dumps({"root_cause": {"task_id": str(cause)}})
        )
    assert bench.case(leaf).task.id == str(root)


def test_causes_that_name_each_other_come_to_an_end(bench: Bench) -> None:
    """Somebody has written nonsense."""
    one, two = bench.insert(), bench.insert()
    for task_id, cause in ((one, two), (two, one)):
        bench.write(
            task_id, status="Failed", error=json.dumps({"root_cause": {"task_id": str(cause)}})
        )
    assert bench.case(one).task.id in (str(one), str(two))


@pytest.mark.parametrize(
    "error",
    [
        '"a text"',
        "[1, 2]",
        "no JSON",
        "null",
        '{"root_cause": "a text"}',
        '{"root_cause": {"task_id": 7}}',
        '{"root_cause": {"task_id": "00000000-0000-4000-8000-000000000000"}}',
        '{"root_cause": {"task_id": "../../etc/passwd"}}',
        '{"line": "x", "exit_code": "y", "caused_by": 3, "last_words": 4, "loop_index": []}',
        '{"type": "OSError", "last_words": [1, "it said"], "line": 1.5}',
        '{"kind": null, "type": null, "message": {"a": [1]}, "event_id": 5, "fingerprint": {}}',
    ],
)
def test_a_row_that_others_wrote_strangely_is_a_case(bench: Bench, error: str) -> None:
    """Never a traceback; the words that are there are told."""
    task_id = bench.insert()
    bench.write(task_id, status="Failed", error=error, error_message="it broke \x1b[31m")
    found = investigate(bench.case(task_id))
    assert found.task.id == str(task_id)
    assert found.says
    assert "\x1b" not in terminal.plain(found)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"model_name": None, "orchestrator_details": "text"},
        {"model_name": ["a"], "model": {"b": 1}, "orchestrator_task_id_ref": 5},
        {"orchestrator_task_id_ref": "no id", "phase_config": "{", "orchestrator_details": []},
        {"orchestrator_task_id_ref": str(uuid4()), "phase_config": "[" * 3000},
    ],
)
def test_strange_params_are_a_case(bench: Bench, params: dict[str, Any]) -> None:
    """The model may be missing, or be no text."""
    task_id = bench.insert(params=params)
    bench.fail(bench.claim())
    found = investigate(bench.case(task_id))
    assert found.failure is not None
    assert found.failure.type == "AttributeError"


# What is shown.


def test_what_the_settings_hide_does_not_reach_the_case(tmp_path: Path) -> None:
    """Prompts, wherever they stand in the params."""
    bench = Bench(tmp_path / "quiet", {"record_prompts": False})
    params = {
        "prompt": "my secret garden",
        "orchestrator_details": {"base_prompts_expanded": ["my secret garden"]},
    }
    task_id = bench.insert(params=params)
    bench.fail(bench.claim())
    case = bench.case(task_id)
    bench.store.close()
    assert "secret garden" not in str(case)


def test_secrets_do_not_reach_the_case(bench: Bench) -> None:
    """Neither of the params, nor of another application's message, nor of an address."""
    token = "sk-live-" + "4f" * 20
    params = {"api_key": token, "image": f"https://user:{token}@example.org/a.png"}
    task_id = bench.insert(params=params)
    bench.write(
        task_id,
        status="Failed",
        error_message=f"401 for https://user:{token}@example.org",
        output_location=f"https://user:{token}@example.org/a.mp4",
        error=json.dumps({"message": f"Authorization: Bearer {token}", "type": "HTTPError"}),
    )
    assert token not in str(bench.case(task_id))


def test_the_claims_token_does_not_reach_the_case(bench: Bench) -> None:
    """Whoever has it may settle the task."""
    task_id = bench.insert()
    claim = bench.claim()
    bench.fail(claim)
    assert str(claim.token) not in str(bench.case(task_id))


# The record.


def test_without_any_journal_the_row_is_told(bench: Bench) -> None:
    """And that nothing is recorded."""
    task_id = bench.insert()
    bench.fail(bench.claim())
    found = investigate(bench.case(task_id))
    assert found.completeness.says.startswith("nothing is recorded of this attempt")
    assert found.failure is not None
    assert found.failure.location.function == "get_model_min_frames_and_step"


def test_the_record_is_read_from_the_spool_of_the_home(bench: Bench) -> None:
    """By the task's id."""
    task_id = bench.insert()
    claim = bench.claim()
    recorder = Recorder.open(bench.settings.spool_dir, role="task")
    about = {"task_id": str(task_id), "attempt": 1, "task_type": "t2v", "worker_id": "gpu-1"}
    with recorder.task(**about, trace_id=b"\xa1" * 16), recorder.stage("parameters"):
        pass
    recorder.close()
    bench.fail(claim)
    case = bench.case(task_id)
    assert case.model is not None
    assert [begin.task_id for part in case.model.processes for begin, _ in part.tasks] == [
        str(task_id)
    ]


def test_a_row_says_when_it_was_created_claimed_and_returned(bench: Bench) -> None:
    """By the queue's clock."""
    task_id = bench.insert()
    bench.fail(bench.claim("gpu-7"))
    row = bench.case(task_id).task
    times = [datetime.fromtimestamp(1_770_000_000 + at, UTC) for at in (0, 1, 2)]
    assert [row.created, row.claimed, row.returned] == [
        f"{at:%Y-%m-%dT%H:%M:%S.%f}Z" for at in times
    ]
    assert (row.worker, row.attempt, row.status) == ("gpu-7", 1, "Failed")


# What it is compared with.


def test_the_same_failure_is_found_across_tasks_attempts_and_days(bench: Bench) -> None:
    """Newest first; this very attempt is none of them."""
    bench.insert()
    claim = bench.claim("gpu-2")
    bench.store.release(claim.token, reason="x", give_back=False, delay_s=0, failure=FAILURE)
    bench.fail(bench.claim("gpu-3"))
    bench.now += 86_400
    other = bench.insert()
    bench.fail(bench.claim("gpu-4"), replace(FAILURE, fingerprint="beef"))
    wanted = bench.insert()
    bench.fail(bench.claim("gpu-5"))
    same = bench.case(wanted).same
    assert [(one.task, one.attempt, one.worker) for one in same] == [
        (str(claim.task.id), 2, "gpu-3"),
        (str(claim.task.id), 1, "gpu-2"),
    ]
    assert str(other) not in {one.task for one in same}


def test_a_failure_without_a_fingerprint_is_like_no_other(bench: Bench) -> None:
    """Else every row of another application would be the same."""
    nameless = replace(FAILURE, fingerprint="")
    for _ in range(2):
        task_id = bench.insert()
        bench.fail(bench.claim(), nameless)
    assert bench.case(task_id).same == []


def test_the_last_good_is_the_newest_of_the_same_type_and_model(bench: Bench) -> None:
    """Of those that ended before the failure."""
    for model in ("wan", "tiny", "wan"):
        bench.insert(params={"model_name": model})
    good = [bench.complete(bench.claim()) for _ in range(3)]
    failed = bench.insert()
    bench.fail(bench.claim())
    found = bench.case(failed).good
    assert found is not None
    assert found[0].id == str(good[2])


def test_a_task_whose_like_never_went_well_has_no_last_good(bench: Bench) -> None:
    """None is made up."""
    bench.insert(params={"model_name": "tiny"})
    bench.complete(bench.claim())
    failed = bench.insert()
    bench.fail(bench.claim())
    assert bench.case(failed).good is None


def test_the_previous_failure_is_the_one_right_before_of_another_task(bench: Bench) -> None:
    """Of any kind; neither an older one, nor a later one, nor an attempt of its own."""
    bench.insert()
    bench.fail(bench.claim())
    previous = bench.insert()
    bench.fail(bench.claim("gpu-8"), replace(FAILURE, type="OSError", fingerprint="beef"))
    failed = bench.insert()
    bench.store.record_death(bench.claim().token, FAILURE, max_deaths=3)
    bench.fail(bench.claim())
    bench.insert()
    bench.fail(bench.claim())
    found = bench.case(failed).previous
    assert found is not None
    assert (found[0].id, found[0].worker) == (str(previous), "gpu-8")


def test_the_previous_failure_is_told_as_it_was_then(bench: Bench) -> None:
    """Its task was tried again, and went well."""
    again = bench.insert()
    claim = bench.claim("gpu-8")
    bench.now += 1
    bench.store.release(claim.token, reason="x", give_back=False, delay_s=0, failure=FAILURE)
    failed_at = bench.now
    bench.complete(bench.claim("gpu-9"))
    failed = bench.insert()
    bench.fail(bench.claim())
    found = bench.case(failed).previous
    assert found is not None
    row = found[0]
    at = datetime.fromtimestamp(failed_at, UTC)
    assert (row.id, row.attempt, row.worker, row.status) == (str(again), 1, "gpu-8", "Failed")
    assert row.returned == f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert row.error["type"] == "AttributeError"


def test_a_task_that_went_well_has_no_failure_before_it(bench: Bench) -> None:
    """There is nothing to compare."""
    bench.insert()
    bench.fail(bench.claim())
    good = bench.insert()
    bench.complete(bench.claim())
    case = bench.case(good)
    assert (case.previous, case.same) == (None, [])
    assert investigate(case).says == "it did not fail: it is complete"


def test_an_orchestrator_that_waits_says_so(bench: Bench) -> None:
    """Its segments have not failed."""
    orchestrator, segments = bench.journey(2)
    assert investigate(bench.case(orchestrator)).says == (
        "it has not failed: it waits for its children"
    )
    assert investigate(bench.case(segments[0])).says == "it has not run: it waits in the queue"


def test_a_running_segment_waits_for_nobody(bench: Bench) -> None:
    """Its siblings are no children of it."""
    bench.journey(2)
    claim = bench.claim()
    assert investigate(bench.case(claim.task.id)).says == "it is at work; nothing has failed so far"


def test_the_command_to_replay_it_can_be_pasted(tmp_path: Path) -> None:
    """Into any shell, whatever the home is called."""
    bench = Bench(tmp_path / "a home; with 'quotes'")
    task_id = bench.insert()
    bench.fail(bench.claim())
    command = bench.case(task_id).replay
    bench.store.close()
    assert shlex.split(command) == ["loop26", "--home", str(bench.home), "replay", str(task_id)]


def test_failed_attempts_hold_no_secrets(bench: Bench) -> None:
    """What is printed ends in chats."""
    token = "sk-live-" + "4f" * 20
    bench.insert()
    bench.fail(bench.claim(), replace(FAILURE, message=f"Authorization: Bearer {token}"))
    [found] = failed_attempts(bench.store, limit=10)
    assert token not in str(found)
    assert (found.model, found.worker, found.attempt) == ("wan", "gpu-1", 1)


def test_a_good_run_before_the_failure_is_taken_before_a_later_one(bench: Bench) -> None:
    """What ran well until then shows what has changed."""
    bench.insert()
    before = bench.complete(bench.claim())
    failed = bench.insert()
    bench.fail(bench.claim())
    bench.insert()
    bench.complete(bench.claim())
    case = bench.case(failed)
    assert case.good is not None
    assert case.good[0].id == str(before)
    found = investigate(case).last_good
    assert found is not None
    assert not found.later


def test_a_good_run_after_the_failure_is_said_to_be_later(bench: Bench) -> None:
    """Where none went well before."""
    failed = bench.insert()
    bench.fail(bench.claim())
    bench.insert()
    later = bench.complete(bench.claim())
    report = investigate(bench.case(failed))
    found = report.last_good
    assert found is not None
    assert (found.id, found.later) == (str(later), True)
    for form in (terminal.plain(report), markdown(report), html.page(report)):
        assert "after this failure" in " ".join(form.split())


def test_a_row_set_to_failed_by_hand_is_an_attempt_that_failed(bench: Bench) -> None:
    """One that only a message ties to another is none: it fell with that."""
    running = bench.insert()
    bench.claim("gpu-9")
    bench.write(running, status="Failed", error_message="by hand")
    root = bench.insert()
    bench.fail(bench.claim())
    fallen = bench.insert()
    bench.write(
        fallen, status="Failed", error_message=f"Cascaded failed from related task {root}: no get"
    )
    found = failed_attempts(bench.store, limit=10)
    assert {(one.task, one.failure["kind"]) for one in found} == {
        (str(running), "untold"),
        (str(root), "exception"),
    }
    [untold] = [one for one in found if one.task == str(running)]
    assert (untold.worker, untold.failure["sentence"]) == ("gpu-9", "by hand")


# The attempts at a task.

DEATH = replace(
    FAILURE, kind="death", type="sigsegv", message="the task process died of SIGSEGV", place=""
)


def forms(case: Case) -> list[str]:
    """Return a case's report in every form for people, on one line each."""
    found = investigate(case)
    shown = (terminal.plain(found), markdown(found), html.page(found))
    return [" ".join(form.split()) for form in shown]


def test_an_earlier_attempt_that_died_is_told(bench: Bench) -> None:
    """The newest raised; both are in every form, the newest first."""
    task_id = bench.insert()
    bench.store.record_death(bench.claim("gpu-1").token, DEATH, max_deaths=2)
    bench.fail(bench.claim("gpu-2"))
    found = investigate(bench.case(task_id)).attempts
    assert [(one.attempt, one.worker, one.ended) for one in found] == [
        (2, "gpu-2", "failed"),
        (1, "gpu-1", "died"),
    ]
    assert found[1].says == "died: the task process died of SIGSEGV"
    for form in forms(bench.case(task_id)):
        assert "Attempts" in form
        assert "died: the task process died of SIGSEGV" in form


def test_a_task_that_went_well_says_what_its_first_attempt_did(bench: Bench) -> None:
    """In the answer, too."""
    task_id = bench.insert()
    bench.store.record_death(bench.claim().token, DEATH, max_deaths=2)
    bench.complete(bench.claim())
    found = investigate(bench.case(task_id))
    assert found.attempts[0].says == "went well"
    assert found.says == (
        "it did not fail: it is complete; attempt 1 died: the task process died of SIGSEGV"
    )


def test_a_task_of_one_attempt_has_no_section_of_them(bench: Bench) -> None:
    """There is nothing to tell; a death that fails its task leaves two events, and is one."""
    task_id = bench.insert()
    bench.store.record_death(bench.claim().token, DEATH, max_deaths=1)
    assert [one.ended for one in investigate(bench.case(task_id)).attempts] == ["died"]
    assert not any("Attempts" in form for form in forms(bench.case(task_id)))


def test_every_end_of_an_attempt_is_told(bench: Bench) -> None:
    """Given back, tried again, lost, at work."""
    task_id = bench.insert()
    bench.store.release(bench.claim().token, reason="drain", give_back=True)
    bench.store.release(bench.claim().token, reason="x", give_back=False, failure=FAILURE)
    bench.claim()
    bench.now += 1000
    bench.store.sweep(max_deaths=3)
    bench.claim()
    says = [one.says for one in bench.case(task_id).attempts]
    assert says[0] == "is not at its end"
    assert says[1].startswith("lost its worker: ")
    assert says[2].startswith("failed, and the task was queued again: AttributeError: ")
    assert says[3] == "was given back: drain"
    bench.write(task_id, status="Failed")
    assert bench.case(task_id).attempts[0].says == "was set to Failed by another application"


def test_attempts_hold_no_secrets(bench: Bench) -> None:
    """Their messages are strangers'."""
    token = "sk-live-" + "4f" * 20
    task_id = bench.insert()
    bench.fail(bench.claim(), replace(FAILURE, message=f"Authorization: Bearer {token}"))
    assert token not in str(bench.case(task_id).attempts)


# The record that a black box has kept.


def lose(bench: Bench, *, boxed: bool = True) -> UUID:
    """Record an attempt that failed, keep its black box, and lose the journals."""
    task_id = bench.insert()
    claim = bench.claim()
    recorder = Recorder.open(bench.settings.spool_dir, role="task")
    about = {"task_id": str(task_id), "attempt": 1, "task_type": "t2v", "worker_id": "gpu-1"}
    own = {names.TASK_ID: str(task_id), names.TASK_ATTEMPT: 1}
    with (
        recorder.task(**about, trace_id=b"\xa1" * 16),
        recorder.span(names.process("t2v"), own, trace_id=b"\xa1" * 16, span_id=b"\xb2" * 8),
        recorder.stage("parameters"),
    ):
        pass
    recorder.close()
    bench.fail(claim)
    box = black_box_of(bench.settings.outputs_dir, task_id)
    box.parent.mkdir(parents=True)
    if boxed:
        blackbox.write(bench.case(task_id), box)
    return task_id


def test_a_lost_record_is_taken_out_of_the_black_box(bench: Bench) -> None:
    """And the report says where it is from."""
    task_id = lose(bench)
    shutil.rmtree(bench.settings.spool_dir)
    case = bench.case(task_id)
    box = black_box_of(bench.settings.outputs_dir, task_id)
    assert case.source == f"the journals in {bench.settings.spool_dir}, and the black box {box}"
    found = investigate(case)
    assert [one.name for one in found.stages] == ["parameters"]
    assert found.completeness.complete


def test_a_cut_record_is_taken_out_of_the_black_box(bench: Bench) -> None:
    """Its journal has lost its tail."""
    task_id = lose(bench)
    [directory] = process_directories(bench.settings.spool_dir)
    path = list(journal_files(directory).values())[-1]
    os.truncate(path, path.stat().st_size - 200)
    found = investigate(bench.case(task_id))
    assert found.completeness.complete
    assert "black box" in found.completeness.source


def test_a_whole_record_is_not_compared_with_the_black_box(bench: Bench) -> None:
    """Which is not read."""
    task_id = lose(bench)
    black_box_of(bench.settings.outputs_dir, task_id).write_bytes(b"\x89LOOP26B damaged")
    assert bench.case(task_id).source == f"the journals in {bench.settings.spool_dir}"


@pytest.mark.parametrize("content", [b"", b"\x89LOOP26B damaged", b"no box"])
def test_a_black_box_that_is_none_is_left_alone(bench: Bench, content: bytes) -> None:
    """The row is told, as without one."""
    task_id = lose(bench, boxed=False)
    black_box_of(bench.settings.outputs_dir, task_id).write_bytes(content)
    shutil.rmtree(bench.settings.spool_dir)
    case = bench.case(task_id)
    assert (case.model, case.source) == (None, f"the journals in {bench.settings.spool_dir}")


def test_the_black_box_of_another_attempt_is_left_alone(bench: Bench) -> None:
    """It tells of another failure."""
    task_id = lose(bench)
    bench.write(task_id, attempts=2)
    shutil.rmtree(bench.settings.spool_dir)
    assert bench.case(task_id).model is None


def test_a_failure_is_not_like_an_earlier_attempt_that_failed_in_another_way(bench: Bench) -> None:
    """Its row names no fingerprint, and the record's newest error is of the attempt before."""
    failed = bench.insert()
    first = Attempted(spool=bench.settings.spool_dir, task_id=str(failed)).run(incident)
    assert first.error is not None
    bench.store.release(
        bench.claim().token, reason="x", give_back=False, delay_s=0, failure=FAILURE
    )
    claim = bench.claim()
    Attempted(spool=bench.settings.spool_dir, attempt=2, task_id=str(failed)).run(segment)
    bench.fail(claim, replace(FAILURE, fingerprint="", event_id=""))
    others = [bench.insert() for _ in range(2)]
    for _ in others:
        bench.fail(bench.claim(), replace(FAILURE, fingerprint=first.error.fingerprint))
    assert bench.case(others[0]).same
    assert bench.case(failed).same == []
