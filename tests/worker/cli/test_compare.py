"""`loop26 compare`, as it is typed: two tasks of a real queue, recorded by a real recorder."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from telemetry import Recorder, names
from telemetry.reports.sources import blackbox
from worker.casework import gather
from worker.cli.compare import Hint
from worker.cli.session import Session
from worker.failure import failure_of
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask

from .conftest import T2V, Result, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The queue behind the commands, and what its worker does."""

    home: Path
    store: LocalStore

    def task(self, *, fails: bool, seed: int = 1) -> str:
        """Insert a task and run it, well or to its failure; return its id."""
        self.store.insert([NewTask(task_type="t2v", params=T2V["params"])])
        return self.run_next(fails=fails, seed=seed)

    def run_next(self, *, fails: bool, seed: int = 1) -> str:
        """Run the next task; return its id."""
        trace, span, token = uuid4().hex, uuid4().hex[:16], uuid4()
        asked = ClaimRequest(
            worker_id="gpu-1",
            token=token,
            task_types=["t2v"],
            lease_s=60,
            trace_id=trace,
            span_id=span,
        )
        claim = self.store.claim(asked)
        assert claim is not None
        recorder = Recorder.open(self.home / "spool", role="task")
        with recorder.span(
            names.process("t2v"),
            {names.TASK_ID: str(claim.task.id), names.TASK_ATTEMPT: 1},
            trace_id=bytes.fromhex(trace),
            span_id=bytes.fromhex(span),
        ):
            failure = self._run(recorder, str(claim.task.id), trace, fails=fails, seed=seed)
        recorder.close()
        if failure is None:
            self.store.complete(token, output_location="video.mp4", result={})
        else:
            self.store.fail(token, failure)
        return str(claim.task.id)

    def _run(
        self, recorder: Recorder, task_id: str, trace: str, *, fails: bool, seed: int
    ) -> Failure | None:
        scope = recorder.task(
            task_id=task_id,
            attempt=1,
            task_type="t2v",
            trace_id=bytes.fromhex(trace),
            worker_id="gpu-1",
            params=T2V["params"],
        )
        with scope:
            try:
                self._work(recorder, fails=fails, seed=seed)
            except LookupError as error:
                return failure_of(recorder.error(error), error)
        return None

    def _work(self, recorder: Recorder, *, fails: bool, seed: int) -> None:
        with recorder.stage("parameters"):
            with recorder.iteration(1, 1, {names.PARAM_KEY: "seed"}) as iteration:
                said = {names.PARAM_KEY: "seed", names.PARAM_NEW: seed, names.PARAM_SOURCE: "task"}
                iteration.end(attributes=said)
            if fails:
                raise LookupError("there is no such model")


@pytest.fixture
def queue(home: Path, store: LocalStore) -> Queue:
    """Name the home's queue."""
    return Queue(home=home, store=store)


def refused(result: Result, *said: str) -> None:
    """Check that a command was refused in one line that says all of this."""
    assert result.code != 0
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("loop26: ")
    for text in said:
        assert text in line


def test_two_failures_of_one_cause_are_the_same_failure(run: Run, queue: Queue) -> None:
    """By their ids, or as much of them as is unique."""
    a, b = queue.task(fails=True), queue.task(fails=True, seed=7)
    result = run("compare", a[:8], b[:8])
    assert result.code == 0
    assert "the same failure: LookupError: there is no such model, raised at" in result.out
    assert "they differ in seed" in " ".join(result.out.split())


def test_good_against_failed_names_the_first_divergence(run: Run, queue: Queue) -> None:
    """In the words of what each did there."""
    result = run("compare", queue.task(fails=False), queue.task(fails=True))
    said = " ".join(result.out.split())
    assert "A: stage parameters ended well; B: it failed with LookupError" in said


def test_json_is_the_whole_value(run: Run, queue: Queue) -> None:
    """For programs."""
    a, b = queue.task(fails=False), queue.task(fails=False)
    found = json.loads(run("compare", a, b, "--json").out)
    assert found["alike"] == "no significant difference"
    assert (found["a"]["task"]["id"], found["b"]["task"]["id"]) == (a, b)


def test_markdown_is_printed(run: Run, queue: Queue) -> None:
    """As for an issue."""
    a, b = queue.task(fails=True), queue.task(fails=True)
    assert run("compare", a, b, "--markdown").out.startswith("# Comparison: the same failure\n")


def test_a_page_is_written_where_it_was_asked_for(run: Run, queue: Queue, tmp_path: Path) -> None:
    """The answer and the path are printed."""
    path = tmp_path / "compared.html"
    result = run("compare", queue.task(fails=True), queue.task(fails=True), "--html", str(path))
    assert result.lines[0].startswith("the same failure")
    assert result.lines[-1] == str(path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(("form", "starts"), [("--json", "{"), ("--markdown", "# Comparison")])
def test_another_form_stays_itself_when_a_page_is_written_too(
    run: Run, queue: Queue, tmp_path: Path, form: str, starts: str
) -> None:
    """What is for people goes to the other stream."""
    path = tmp_path / "compared.html"
    a, b = queue.task(fails=True), queue.task(fails=True)
    result = run("compare", a, b, "--html", str(path), form)
    assert result.out.startswith(starts)
    assert result.out == run("compare", a, b, form).out
    assert str(path) in result.err


def test_a_page_that_cannot_be_written_is_one_clear_line(
    run: Run, queue: Queue, tmp_path: Path
) -> None:
    """With the path, and what to do."""
    path = tmp_path / "nowhere" / "compared.html"
    result = run("compare", queue.task(fails=True), queue.task(fails=True), "--html", str(path))
    refused(result, str(path), "choose another file")


def test_all_shows_what_is_alike_too(run: Run, queue: Queue) -> None:
    """And a report without it says what it leaves out."""
    a, b = queue.task(fails=True), queue.task(fails=True)
    assert "1 parameter is alike, or differs in nothing that matters (--all)" in (
        run("compare", a, b).out
    )
    assert "(--all)" not in run("compare", a, b, "--all").out


def test_a_black_box_stands_for_its_task(run: Run, queue: Queue, tmp_path: Path) -> None:
    """Against one of the queue."""
    a, b = queue.task(fails=True), queue.task(fails=True)
    path = tmp_path / "failure.blackbox"
    settings = Session({"home": queue.home}).settings()
    blackbox.write(gather(settings, queue.store, queue.store.get(UUID(a))), path)
    assert "the same failure" in run("compare", str(path), b).out


def test_a_task_is_not_compared_with_itself(run: Run, queue: Queue) -> None:
    """However it is written."""
    task = queue.task(fails=True)
    refused(run("compare", task, task[:6]), "is the same task as A; give another")


def test_what_two_fell_with_is_not_compared_with_itself(run: Run, queue: Queue) -> None:
    """Of a task that a cascade took down, the one at the root of it is looked at."""
    needed = queue.store.insert([NewTask(task_type="t2v", params=T2V["params"])])
    [fell] = queue.store.insert(
        [NewTask(task_type="t2v", params=T2V["params"], dependant_on=tuple(needed))]
    )
    root = queue.run_next(fails=True)
    refused(run("compare", root, str(fell)), f"leads to the task {root} as A does")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("ffffffff", "no task has the id 'ffffffff'"),
        ("../../etc/passwd", "black box '../../etc/passwd'"),
        ("zzz", "hexadecimal digits"),
        ("\x1b[2J", "hexadecimal digits"),
    ],
)
def test_what_is_no_task_is_one_clear_line(run: Run, queue: Queue, asked: str, said: str) -> None:
    """On either side."""
    task = queue.task(fails=True)
    refused(run("compare", asked, task), said)
    refused(run("compare", task, asked), said)


def test_an_ambiguous_prefix_names_those_that_it_fits(run: Run, queue: Queue) -> None:
    """Of seventeen ids two begin alike."""
    ids = [
        str(one)
        for one in queue.store.insert(
            [NewTask(task_type="t2v", params=T2V["params"]) for _ in range(17)]
        )
    ]
    firsts = [one[0] for one in ids]
    twice = next(one for one in firsts if firsts.count(one) > 1)
    refused(run("compare", twice, ids[0]), "is the beginning of several ids")


def test_a_queued_task_is_compared_by_what_its_row_knows(run: Run, queue: Queue) -> None:
    """And nothing more is said of it."""
    done = queue.task(fails=False)
    [waits] = queue.store.insert([NewTask(task_type="t2v", params=T2V["params"])])
    result = run("compare", str(waits), done)
    assert result.code == 0
    assert "nothing is recorded of A" in result.out


def test_help_teaches_by_examples(run: Run) -> None:
    """What it answers, what matters, how it is called."""
    said = " ".join(run("compare", "--help").out.split())
    for text in ("the same failure", "What matters is marked", "loop26 compare 3f2a 9c41", Hint.B):
        assert text in said


def test_the_command_loads_no_torch() -> None:
    """Nor the browser's or the engine's libraries."""
    code = (
        "import sys, worker.cli.compare, telemetry.reports.comparison.compare, "
        "telemetry.reports.comparison.html; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
