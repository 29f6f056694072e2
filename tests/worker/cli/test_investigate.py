"""`loop26 investigate`: the answer, its forms, and one clear line for everything else."""

import json
import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from telemetry import Recorder, names
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, Failure, NewTask

from .conftest import Result, Run
from .test_failures import FAILURE

TRACE = "a1" * 16


def insert(store: LocalStore, task_id: UUID | None = None) -> UUID:
    """Insert a task."""
    params = {"model_name": "wan", "prompt": "a lake"}
    [found] = store.insert([NewTask(task_type="t2v", params=params, id=task_id or uuid4())])
    return found


def claim(store: LocalStore) -> UUID:
    """Claim the next task; return the claim's token."""
    token = uuid4()
    request = ClaimRequest(
        worker_id="gpu-1",
        token=token,
        task_types=TASK_TYPES,
        lease_s=60,
        trace_id=TRACE,
        span_id="b2" * 8,
    )
    assert store.claim(request) is not None
    return token


@pytest.fixture
def failed(store: LocalStore) -> str:
    """Fail a task."""
    task_id = insert(store)
    store.fail(claim(store), FAILURE)
    return str(task_id)


def refused(result: Result, *said: str) -> None:
    """Check that a command was refused in one line that says all of this."""
    assert result.code not in (0, 70)
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("loop26: ")
    assert all(text in line for text in said)


# The answer.


def test_the_answer_names_what_failed_and_where(run: Run, failed: str) -> None:
    """First of all."""
    result = run("investigate", failed)
    assert result.code == 0
    words = " ".join(result.out.split())
    assert "AttributeError: 'NoneType' object has no attribute 'get'" in words
    assert "raised at /opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step" in words


def test_a_unique_prefix_is_enough(run: Run, failed: str) -> None:
    """As everywhere."""
    assert run("investigate", failed[:6].upper()).out == run("investigate", failed).out


def test_the_json_has_the_fields_that_programs_rely_on(run: Run, failed: str) -> None:
    """By name."""
    found = json.loads(run("investigate", failed, "--json").out)
    assert (
        found["task"].items()
        >= {
            "id": failed,
            "type": "t2v",
            "status": "Failed",
            "worker": "gpu-1",
            "attempt": 1,
        }.items()
    )
    failure = ("kind", "type", "message", "location", "expression", "frames", "chain")
    assert {*failure, "fingerprint", "handled"} <= found["failure"].keys()
    assert found["failure"]["location"].keys() == {"file", "line", "function"}
    assert {"completed", "total", "last"} <= found["loop"].keys()
    assert {"begun", "arrived", "lost", "complete"} <= found["completeness"].keys()
    assert {"name", "verdict", "evidence"} == found["hypotheses"][0].keys()
    more = ("stages", "params", "relatives", "same_failure", "last_good", "links")
    assert set(more) <= found.keys()


def test_markdown_is_printed_as_it_is(run: Run, failed: str) -> None:
    """For an issue."""
    out = run("investigate", failed, "--markdown").out
    assert out.startswith("#")
    assert "get_model_min_frames_and_step" in out


def test_a_page_is_written_and_its_path_printed(run: Run, failed: str, tmp_path: Path) -> None:
    """With the answer in one sentence."""
    page = tmp_path / "report.html"
    result = run("investigate", failed, "--html", str(page))
    assert result.code == 0
    says, path = result.lines
    assert says.startswith("AttributeError")
    assert path == str(page)
    assert "get_model_min_frames_and_step" in page.read_text(encoding="utf-8")


def test_json_stays_json_when_a_page_is_written_too(run: Run, failed: str, tmp_path: Path) -> None:
    """What is for people goes to the other stream."""
    page = tmp_path / "report.html"
    result = run("investigate", failed, "--html", str(page), "--json")
    assert json.loads(result.out)["task"]["id"] == failed
    assert str(page) in result.err


def test_what_was_recorded_is_in_the_answer(run: Run, home: Path, store: LocalStore) -> None:
    """Stages and loop, out of the home's own spool."""
    task_id = str(insert(store))
    token = claim(store)
    about = {"task_id": task_id, "attempt": 1, "task_type": "t2v", "worker_id": "gpu-1"}
    trace_id = bytes.fromhex(TRACE)
    facts = {names.TASK_ID: task_id, names.TASK_ATTEMPT: 1}
    recorder = Recorder.open(home / "spool", role="task")
    with (
        recorder.task(**about, trace_id=trace_id),
        recorder.span(names.process("t2v"), facts, trace_id=trace_id, span_id=b"\xb2" * 8),
        recorder.stage("parameters"),
    ):
        for index in (1, 2):
            with recorder.iteration(index, 2, {names.PARAM_KEY: "guidance_scale"}):
                pass
    recorder.close()
    store.fail(token, FAILURE)
    found = json.loads(run("investigate", task_id, "--json").out)
    assert (found["loop"]["completed"], found["loop"]["total"]) == (2, 2)
    assert [stage["name"] for stage in found["stages"]] == ["parameters"]
    assert "after all 2 iterations" in found["says"]


# Everything else.


@pytest.mark.parametrize("task", ["00000000-0000-4000-8000-000000000000", "ffff"])
def test_an_unknown_id_is_refused_in_one_line(run: Run, failed: str, task: str) -> None:
    """By name."""
    if not failed.startswith(task):
        refused(run("investigate", task), task)


@pytest.mark.parametrize("task", ["no id", "x", "\x1b[2J", "é", "a" * 400])
def test_what_can_be_no_id_is_refused_in_one_line(run: Run, task: str) -> None:
    """Whatever it does to a terminal."""
    result = run("investigate", task)
    refused(result)
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    "task", ["no/such/file", "../../etc/passwd", "/dev/null", "/", "a/" * 3000, "/" + "a" * 400]
)
def test_a_file_that_is_no_black_box_is_refused_in_one_line(run: Run, task: str) -> None:
    """And nothing of it is shown."""
    refused(run("investigate", task))


def test_a_prefix_of_several_ids_is_refused_with_them(run: Run, store: LocalStore) -> None:
    """So that one can choose."""
    ids = [UUID(f"abc{n}0000-0000-4000-8000-000000000000") for n in (1, 2)]
    for one in ids:
        insert(store, one)
    refused(run("investigate", "abc"), str(ids[0]), str(ids[1]))


def test_a_page_that_cannot_be_written_is_said_in_one_line(
    run: Run, failed: str, tmp_path: Path
) -> None:
    """A folder that is not there; a folder in its place; one that may not be written."""
    for path in (tmp_path / "no" / "a.html", tmp_path, Path("/proc/a.html")):
        refused(run("investigate", failed, "--html", str(path)), str(path), "cannot be written")


def test_a_waiting_task_has_not_failed(run: Run, store: LocalStore) -> None:
    """What it does is told, and the code is that of a good answer."""
    result = run("investigate", str(insert(store)))
    assert result.code == 0
    assert "it has not run: it waits in the queue" in " ".join(result.out.split())


def test_a_running_task_has_not_failed(run: Run, store: LocalStore) -> None:
    """So far."""
    task_id = insert(store)
    claim(store)
    result = run("investigate", str(task_id))
    assert result.code == 0
    assert "nothing has failed so far" in " ".join(result.out.split())


def test_a_complete_task_did_not_fail(run: Run, store: LocalStore) -> None:
    """It says what it did."""
    task_id = insert(store)
    store.complete(claim(store), output_location="out.mp4", result={})
    result = run("investigate", str(task_id))
    assert result.code == 0
    assert "it did not fail: it is complete" in " ".join(result.out.split())


def test_a_cancelled_task_did_not_fail(run: Run, store: LocalStore) -> None:
    """Its reason is told, on one line."""
    task_id = insert(store)
    store.cancel(task_id, reason="no need\x1b[2J")
    result = run("investigate", str(task_id))
    assert result.code == 0
    assert "it was not run: no need" in " ".join(result.out.split())
    assert "\x1b" not in result.out


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--json",), ("--all",)])
def test_a_task_without_any_record_is_told_in_every_form(
    run: Run, failed: str, form: tuple[str, ...]
) -> None:
    """And that nothing is recorded."""
    result = run("investigate", failed, *form)
    assert result.code == 0
    assert "nothing is recorded of this attempt" in " ".join(result.out.split())


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--all",)])
def test_hostile_texts_do_nothing_to_a_terminal(
    run: Run, store: LocalStore, form: tuple[str, ...]
) -> None:
    """In every field of the row's own error, and in the params."""
    attack = "\x1b[2J\x1b]0;pwned\x07\u202e[bold red]x[/]"
    task_id = insert(store)
    texts = dict.fromkeys(("type", "message", "sentence", "file", "function", "stage"), attack)
    store.fail(claim(store), Failure(kind="exception", **texts, line=7, expression=attack))
    out = run("investigate", str(task_id), *form).out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_the_answer_fits_a_pipe(run: Run, failed: str) -> None:
    """It is read in mails and chats, too."""
    assert max(map(len, run("investigate", failed).lines)) <= 100


def test_a_damaged_journal_is_a_report(run: Run, home: Path, failed: str) -> None:
    """Whatever lies in the spool."""
    spool = home / "spool"
    folder = spool / "20260224T143153.000000Z-task-1-0123abcd"
    folder.mkdir(parents=True)
    (folder / "000001.journal").write_bytes(os.urandom(4096))
    (folder / "index.jsonl").write_bytes(b"\xff" * 100)
    assert run("investigate", failed).code == 0
