"""A checkout's habits end with its call: what it leaves, what it prints, and whether it stops."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import pytest

from telemetry import names
from telemetry.journal import JournalReader, process_directories
from telemetry.spans import Span
from tests.acceptance.wan2gp_home import Driven, driven, ended, logs_of, spans_by_task
from tests.standins.checkouts import Kind
from worker.task import Task, TaskStatus
from worker.video.files import read_frames

pytestmark = pytest.mark.timeout(900)

# What a task leaves, and what is said of it: by that task itself, or by the next, which finds it.
LEFT: Final = {
    "changes-directory": "working directory",
    "leaves-thread": "a thread: pinned-upload",
    "changes-signal": "SIGINT's handler",
}
FOUND: Final = {
    "leaves-abort-flag": "the abort flag was set",
    "mutates-primary-settings": "primary_settings: denoising_strength",
    "mutates-server-config": "server_config: save_path",
    # It writes them into the checkout's own file: every later process would begin with them.
    "mutates-defaults": "defaults of i2v_standin: seed, guidance_scale",
}
LEAVES: Final = (*LEFT, *FOUND, "leaves-stdout")
# A session works in a thread, where no handler can be set, and puts back what it redirects.
ONLY_IN_MAIN_THREAD: Final = ("changes-signal",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A task that has left something, and one after it in the same process."""

    leaving: Task
    after: Task
    arrived: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InARow:
    """What one process has made of many tasks.

    Attributes:
        driving: Its home.
        fresh: Its first task, and what arrived of that.
        pairs: By what the first of them left.
        polluted: A task that failed after one that left something.
        spans: Of every task, by id.
    """

    driving: Driven
    fresh: Task
    arrived: dict[str, Any]
    pairs: dict[str, Pair]
    polluted: Task
    spans: dict[str, list[Span]] = field(default_factory=dict)

    def said(self, task: Task, call: str, name: str) -> list[str]:
        """Return a list of texts on the span of a call into the engine."""
        [span] = [one for one in self.spans[str(task.id)] if one.name == names.engine(call)]
        return list(span.attributes[name])


@pytest.fixture(scope="module", params=["functions", "session"])
def in_a_row(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    standin_python: Path,
) -> Iterator[InARow]:
    """Have one process do a task, then for each habit one that has it and one after."""
    kind: Kind = request.param
    with driven(kind, tmp_path_factory.mktemp(kind), standin_python) as driving:
        worker = driving.worker()
        fresh = driving.settled(worker, driving.video())
        arrived, pairs = driving.last_call(), {}
        for fault in LEAVES:
            leaving = driving.settled(worker, driving.video(), fault)
            after = driving.settled(worker, driving.video())
            pairs[fault] = Pair(leaving=leaving, after=after, arrived=driving.last_call())
        driving.settled(worker, driving.video(), "mutates-server-config")
        polluted = driving.settled(worker, driving.video(), "printed")
        ended(worker)
        yield InARow(
            driving=driving,
            fresh=fresh,
            arrived=arrived,
            pairs=pairs,
            polluted=polluted,
            spans=spans_by_task(driving.home),
        )


def frames_of(task: Task) -> "np.ndarray[Any, Any]":
    """Return the frames of a task's video."""
    assert task.status is TaskStatus.COMPLETE, task.error_message
    return read_frames(Path(task.output_location or ""))


@pytest.mark.parametrize("fault", LEAVES)
def test_what_a_task_leaves_does_not_change_the_next(in_a_row: InARow, fault: str) -> None:
    """It is given the same parameters as the first of its process, and its video is the same."""
    pair = in_a_row.pairs[fault]
    assert pair.arrived == in_a_row.arrived
    assert np.array_equal(frames_of(pair.after), frames_of(in_a_row.fresh))


@pytest.mark.parametrize(("fault", "text"), LEFT.items())
def test_what_a_task_leaves_is_said_of_it(in_a_row: InARow, fault: str, text: str) -> None:
    """On its call, when that ends; a thread cannot be ended, and all else is put back."""
    if in_a_row.driving.checkout.kind == "session" and fault in ONLY_IN_MAIN_THREAD:
        assert (
            in_a_row.said(in_a_row.pairs[fault].leaving, "generate", names.ENGINE_STATE_LEFT) == []
        )
        return
    left = in_a_row.said(in_a_row.pairs[fault].leaving, "generate", names.ENGINE_STATE_LEFT)
    assert any(one.startswith(text) for one in left)


@pytest.mark.parametrize(("fault", "text"), FOUND.items())
def test_what_the_next_task_finds_is_said_of_that(in_a_row: InARow, fault: str, text: str) -> None:
    """On its look at the model, before anything else is asked; nothing is said of the first."""
    found = in_a_row.said(in_a_row.pairs[fault].after, "model_def", names.ENGINE_STATE_FOUND)
    assert any(one.startswith(text) for one in found)
    assert in_a_row.said(in_a_row.fresh, "model_def", names.ENGINE_STATE_FOUND) == []


def test_one_process_did_them_all(in_a_row: InARow) -> None:
    """Nothing of that was a new process's doing."""
    roles = [
        JournalReader(directory).facts.role
        for directory in process_directories(in_a_row.driving.home.path / "spool")
    ]
    assert roles.count("task") == 1


def test_a_failure_after_it_is_suspected_and_a_replay_decides(in_a_row: InARow) -> None:
    """What was found is in the verdict; a fresh process, which does not fail, confirms it."""
    driving, task_id = in_a_row.driving, in_a_row.polluted.id
    verdict, evidence = pollution(driving, task_id)
    assert verdict == "not decidable"
    assert "server_config: save_path" in evidence
    replayed = driving.home.run("replay", str(task_id), "--json")
    assert replayed.returncode == 1, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["verdict"] == "it did not fail"
    verdict, evidence = pollution(driving, task_id)
    assert verdict == "confirmed"
    assert "server_config: save_path" in evidence


def pollution(driving: Driven, task_id: UUID) -> tuple[str, str]:
    """Return the verdict on the engine's state, and its evidence."""
    [found] = [
        (one["verdict"], one["evidence"])
        for one in driving.investigated(task_id)["hypotheses"]
        if one["name"] == "engine state pollution"
    ]
    return found


def stage_of(span_id: bytes | None, spans: dict[bytes, Span]) -> str:
    """Return the stage that a span is in; "" where it is in none."""
    while (span := spans.get(span_id or b"")) is not None:
        if names.STAGE_NAME in span.attributes:
            return str(span.attributes[names.STAGE_NAME])
        span_id = span.parent_id
    return ""


@pytest.fixture(params=["functions", "session"])
def driving(
    request: pytest.FixtureRequest, tmp_path: Path, standin_python: Path
) -> Iterator[Driven]:
    """Give a home and a new checkout, of each generation."""
    with driven(request.param, tmp_path, standin_python) as made:
        yield made


def test_what_was_found_is_cleared_by_a_replay_that_fails_too(driving: Driven) -> None:
    """In a fresh process of the checkout's interpreter, at the same line."""
    worker = driving.worker()
    driving.settled(worker, driving.video(), "mutates-server-config")
    failed = driving.settled(worker, driving.video(), "in-callback")
    ended(worker)
    driving.checkout.break_with("in-callback")
    done = driving.home.run("replay", str(failed.id), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "the same failure"
    file, line = driving.checkout.line_of("in-callback")
    place = found["replayed"]["location"]
    assert (place["file"], place["line"]) == (str(file), line)
    assert pollution(driving, failed.id)[0] == "ruled out"


def test_what_a_checkout_prints_is_the_tasks_log(driving: Driven) -> None:
    """In order, each with its stage and the line that printed it; a progress bar does not flood."""
    worker = driving.worker()
    task = driving.settled(worker, driving.video(num_inference_steps=60))
    ended(worker)
    printed = [one for one in logs_of(driving.home, task.id) if one.logger.startswith("wan2gp.std")]
    told = [one.message for one in printed if one.logger == "wan2gp.stdout"]
    beginnings = ("Loading Model", "Prompt 1/1", "Made in", "New video saved")
    places = [
        next(n for n, text in enumerate(told) if text.startswith(beginning))
        for beginning in beginnings
    ]
    assert places == sorted(places)
    spans = {one.span_id: one for one in spans_by_task(driving.home)[str(task.id)]}
    stages = {one.message.split()[0]: stage_of(one.span_id, spans) for one in printed}
    assert (stages["Loading"], stages["Made"]) == ("model", "generate")
    assert all(one.attributes["code.file.path"].endswith(".py") for one in printed)
    bar = [one.message for one in printed if one.logger == "wan2gp.stderr" and "/60" in one.message]
    assert 1 <= len(bar) < 10
    assert bar[-1].startswith("60/60")


def test_a_cancelled_task_stops_within_a_step_and_the_process_stays(driving: Driven) -> None:
    """The same task process takes the next task, of which nothing is missing."""
    worker = driving.worker()
    steps = 1000
    cancelled = driving.begun(worker, driving.video(num_inference_steps=steps), "slow-steps")
    child = worker.task_process()
    assert driving.home.run("cancel", str(cancelled)).returncode == 0
    settled = worker.wait_for("settled", task_id=str(cancelled))
    assert settled["outcome"] == "Cancelled"
    driving.checkout.mend()
    after = driving.settled(worker, driving.video())
    assert worker.task_process() == child
    ended(worker)
    assert driving.home.task(cancelled).status is TaskStatus.CANCELLED
    assert frames_of(after).shape == (9, 48, 64, 3)
    spans = spans_by_task(driving.home)[str(cancelled)]
    assert sum(one.name == names.DENOISE_STEP for one in spans) < steps / 2


@pytest.mark.soak
def test_an_engine_that_ignores_a_cancel_is_replaced(driving: Driven) -> None:
    """After its half a minute; its line is on record, and another process takes the next task."""
    worker = driving.worker()
    task_id = driving.begun(worker, driving.video(), "ignores-cancel", step=1)
    child = worker.task_process()
    assert driving.home.run("cancel", str(task_id)).returncode == 0
    worker.wait_for("settled", task_id=str(task_id))
    driving.checkout.mend()
    after = driving.settled(worker, driving.video())
    assert worker.task_process() != child
    ended(worker)
    assert driving.home.task(task_id).status is TaskStatus.CANCELLED
    assert after.status is TaskStatus.COMPLETE
