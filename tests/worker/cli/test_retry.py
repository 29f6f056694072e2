"""`loop26 tasks --dead` and `loop26 retry`: what has failed for good, and is made again."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, Failure, NewTask

from .conftest import Run

FAILURE = Failure(
    kind="exception",
    type="AttributeError",
    message="'NoneType' object has no \x1b[31mattribute",
    sentence="AttributeError: it has none",
    file="/opt/Wan2GP/wgp.py",
    line=3907,
    function="get_model",
    place="raised at",
    stage="parameters",
)


def claim(store: LocalStore) -> UUID:
    """Claim the next task; return the token."""
    request = ClaimRequest(
        worker_id="gpu-1",
        token=uuid4(),
        task_types=TASK_TYPES,
        lease_s=60,
        trace_id="a1" * 16,
        span_id="b2" * 8,
    )
    assert store.claim(request) is not None
    return request.token


def failed(store: LocalStore, failure: Failure = FAILURE) -> UUID:
    """Insert a task that fails for good."""
    (task_id,) = store.insert([NewTask(task_type="t2v", params={"prompt": "a lake"})])
    store.fail(claim(store), failure)
    return task_id


def fallen(store: LocalStore) -> tuple[UUID, UUID]:
    """Insert a journey whose first segment fails; return it and the segment."""
    (orchestrator,) = store.insert([NewTask(task_type="travel_orchestrator", params={})])
    children = [NewTask(task_type="travel_segment", params={}) for _ in range(2)]
    segment, _ = store.spawn(claim(store), children, result={})
    store.fail(claim(store), FAILURE)
    return orchestrator, segment


def test_dead_letters_are_listed_with_what_to_do(run: Run, store: LocalStore) -> None:
    """What failed, where, when, how often it was tried; nothing that a terminal obeys."""
    task_id = failed(store)
    out = " ".join(run("tasks", "--dead").out.split())
    assert f"{task_id} t2v AttributeError: 'NoneType' object has no \\x1b[31mattribute" in out
    assert "exception, raised at /opt/Wan2GP/wgp.py:3907 in get_model, stage parameters" in out
    assert "UTC, after 1 attempt" in out
    assert f"`loop26 investigate {task_id}` says why" in out
    assert f"`loop26 retry {task_id}`" in out
    assert "\x1b" not in out


def test_a_librarys_line_is_told_with_the_one_that_called_it(run: Run, store: LocalStore) -> None:
    """In words and as JSON."""
    own = {"own_file": "/opt/Wan2GP/vae.py", "own_line": 19, "own_function": "decode"}
    failed(store, replace(FAILURE, **own))
    out = " ".join(run("tasks", "--dead").out.split())
    assert "in get_model, called at /opt/Wan2GP/vae.py:19 in decode, stage parameters" in out
    [letter] = json.loads(run("tasks", "--dead", "--json").out)
    assert {name: letter[name] for name in own} == own


def test_dead_letters_are_json_for_programs(run: Run, store: LocalStore) -> None:
    """One entry for the segment that failed; of its journey nobody else."""
    orchestrator, segment = fallen(store)
    [letter] = json.loads(run("tasks", "--dead", "--json").out)
    assert (letter["id"], letter["journey"]) == (str(segment), str(orchestrator))
    assert (letter["kind"], letter["file"], letter["line"]) == (
        "exception",
        "/opt/Wan2GP/wgp.py",
        3907,
    )
    assert "makes its whole journey again" in letter["advice"]


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (Failure(kind="refused", type="t", message="m", sentence="s"), "enqueue it anew, mended"),
        (
            Failure(kind="exception", type="t", message="m", sentence="s", retryable=True),
            "may have passed: `loop26 retry",
        ),
        (Failure(kind="hang", type="hang", message="m", sentence="s"), "says where it was"),
    ],
)
def test_the_advice_is_by_how_it_failed(
    run: Run, store: LocalStore, failure: Failure, advice: str
) -> None:
    """A retry mends no input."""
    failed(store, failure)
    [letter] = json.loads(run("tasks", "--dead", "--json").out)
    assert advice in letter["advice"]


def test_no_dead_letters_is_said(run: Run, store: LocalStore) -> None:
    """A program gets an empty list."""
    del store
    assert run("tasks", "--dead").out.startswith("no dead letters")
    assert run("tasks", "--dead", "--json").out == "[]\n"


def test_dead_letters_have_no_status_of_their_own(run: Run, store: LocalStore) -> None:
    """They are a list by themselves."""
    del store
    result = run("tasks", "--dead", "--status", "failed")
    assert (result.code, result.out) == (2, "")


def test_a_retry_prints_the_new_id(run: Run, store: LocalStore) -> None:
    """Alone on stdout; what was made of what is told beside it."""
    task_id = failed(store)
    result = run("retry", str(task_id)[:13])
    [new] = map(UUID, result.lines)
    assert store.get(new).params == {"prompt": "a lake"}
    assert result.err == f"{task_id} (t2v, Failed) is made again\n"
    assert run("tasks", "--dead").out.startswith("no dead letters")


def test_a_retry_is_traced_as_any_task_is(run: Run, store: LocalStore) -> None:
    """In a trace of its own."""
    [new] = map(UUID, run("retry", str(failed(store))).lines)
    context = store.get(new).trace_context or ""
    assert context.startswith("00-")
    assert "a1" * 16 not in context


def test_a_second_retry_is_the_first(run: Run, store: LocalStore) -> None:
    """It says so, and what can be done where that has failed too."""
    task_id = str(failed(store))
    first = run("retry", task_id)
    second = run("retry", task_id)
    assert second.out == first.out
    assert "was made again before" in second.err
    assert "is Queued" in second.err
    store.fail(claim(store), FAILURE)
    assert f"`loop26 retry {first.out.strip()}` tries that one again" in run("retry", task_id).err


def test_a_segments_journey_is_made_again(run: Run, store: LocalStore) -> None:
    """And it says that."""
    orchestrator, segment = fallen(store)
    result = run("retry", str(segment))
    [new] = map(UUID, result.lines)
    assert store.get(new).task_type == "travel_orchestrator"
    assert f"{segment}: its journey {orchestrator} (travel_orchestrator, Failed)" in result.err


def test_a_page_names_the_retry_and_what_it_is_the_retry_of(run: Run, store: LocalStore) -> None:
    """The link goes both ways, of a journey's child too."""
    _, segment = fallen(store)
    task_id = failed(store)
    [new] = run("retry", str(task_id)).lines
    [journey] = run("retry", str(segment)).lines
    assert f"{new}, Queued" in run("tasks", str(task_id)).out
    assert f"{journey}, Queued" in run("tasks", str(segment)).out
    assert json.loads(run("tasks", new, "--json").out)["retry_of"] == str(task_id)
    assert json.loads(run("tasks", str(task_id), "--json").out)["retried_as"] == new


def test_a_dry_run_makes_nothing(run: Run, store: LocalStore) -> None:
    """It says what would be made."""
    task_id = failed(store)
    result = run("retry", "--dead", "--dry-run")
    assert result.out == f"{task_id} (t2v, Failed) would be made again\n"
    assert len(store.list_tasks()) == 1
    [told] = json.loads(run("retry", str(task_id), "--dry-run", "--json").out)
    assert (told["id"], told["made"], told["asked"]) == (None, False, [str(task_id)])


def test_what_cannot_be_retried_is_refused_in_one_line(run: Run, store: LocalStore) -> None:
    """With the way out; of several nothing is made then."""
    old = failed(store)
    (waiting,) = store.insert([NewTask(task_type="t2v", params={})])
    result = run("retry", str(old), str(waiting))
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"loop26: task {waiting}: is Queued and has not ended; wait, or end it with "
        "`loop26 cancel`\n"
    )
    assert len(store.list_tasks()) == 2


def test_all_dead_letters_are_retried_at_once(run: Run, store: LocalStore) -> None:
    """The oldest first; one journey once."""
    task_id = failed(store)
    fallen(store)
    result = run("retry", "--dead", "--yes", "--json")
    alone, journey = json.loads(result.out)
    assert alone["asked"] == [str(task_id)]
    assert (journey["task_type"], journey["made"]) == ("travel_orchestrator", True)
    assert run("retry", "--dead", "--yes").err == "no dead letters\n"


def test_a_program_must_mean_all_dead_letters(run: Run, store: LocalStore) -> None:
    """Nobody is there to be asked."""
    failed(store)
    result = run("retry", "--dead")
    assert (result.code, result.out) == (2, "")
    assert "1 task again" in result.err
    assert len(store.list_tasks()) == 1


@pytest.mark.parametrize(("answer", "tasks"), [(b"n\n", 1), (b"y\n", 2)])
def test_people_are_asked(home: Path, store: LocalStore, answer: bytes, tasks: int) -> None:
    """How many it would be; no is no."""
    failed(store)
    ours, theirs = pty.openpty()
    command = "from worker.cli import main; main()"
    asked = subprocess.Popen(
        [sys.executable, "-c", command, "--home", str(home), "retry", "--dead"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.write(ours, answer)
    _, said = asked.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert b"Make 1 task again?" in said
    assert len(store.list_tasks()) == tasks


@pytest.mark.parametrize("argv", [(), ("--dead", "abcd")])
def test_either_ids_or_all_dead_letters(run: Run, store: LocalStore, argv: tuple[str, ...]) -> None:
    """Not neither, not both."""
    del store
    assert run("retry", *argv).code == 2


def test_a_task_that_is_not_there_is_named(run: Run, store: LocalStore) -> None:
    """As by every command."""
    del store
    assert "'abcd'" in run("retry", "abcd").err
