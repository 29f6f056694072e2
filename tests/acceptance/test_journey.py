"""A journey of pictures becomes a video, and every step of it is a journalled span."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from telemetry.journal import JournalReader, process_directories, read_index
from telemetry.spans import Folder, Span
from tests.acceptance.home import Home, Worker, assert_whole, home_at
from worker.task import Task, TaskStatus
from worker.video.files import read_frames

SEGMENTS = 3
OVERLAP = 2
FRAMES = 5


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A home in which one journey was worked off; tests look at it and change nothing."""

    home: Home
    worker: Worker
    orchestrator: UUID

    @property
    def task(self) -> Task:
        """The orchestrator's task."""
        return self.home.task(self.orchestrator)

    @property
    def children(self) -> list[Task]:
        """The segments' tasks, then the stitch's."""
        return self.home.children(self.orchestrator)

    @property
    def spans(self) -> list[Span]:
        """Every span that was journalled, but for the look at the device before any task."""
        return [span for span in spans_of(self.home) if span.name != "engine device"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Work off one journey of three segments and a stitch."""
    with home_at(tmp_path_factory.mktemp("journey")) as home:
        (orchestrator,) = home.enqueue(home.journey(SEGMENTS))
        yield Finished(home=home, worker=home.work_until_idle(), orchestrator=orchestrator)


def spans_of(home: Home) -> list[Span]:
    """Fold every journal of a home into its spans."""
    found: list[Span] = []
    for directory in process_directories(home.path / "spool"):
        folder = Folder()
        for record in JournalReader(directory).read():
            found += folder.feed(record)
        assert folder.open_spans == ()
    return found


def test_a_journey_becomes_one_video(finished: Finished) -> None:
    """Of exactly the segments' frames less the overlaps."""
    assert_whole(finished.home, [finished.orchestrator], SEGMENTS)
    frames = read_frames(Path(finished.task.output_location or ""))
    assert frames.shape == (SEGMENTS * FRAMES - (SEGMENTS - 1) * OVERLAP, 32, 32, 3)


def test_a_journey_is_one_trace(finished: Finished) -> None:
    """That of the span that sent it."""
    traces = {span.trace_id.hex() for span in finished.spans}
    assert traces == {(finished.task.trace_context or "").split("-")[1]}


def test_every_step_of_a_journey_is_a_span(finished: Finished) -> None:
    """All iterations over parameters, all denoising steps, all calls to the queue."""
    names = Counter(span.name for span in finished.spans)
    expected = {
        "loop iteration": SEGMENTS * 32,
        "denoise step": SEGMENTS * 2,
        "process travel_segment": SEGMENTS,
        "process travel_orchestrator": 1,
        "process travel_stitch": 1,
        "send tasks": 2,
        "receive tasks": SEGMENTS + 2,
        "settle tasks": SEGMENTS + 2,
    }
    assert {name: names[name] for name in expected} == expected


def test_a_segments_row_says_what_its_record_holds(finished: Finished) -> None:
    """Counted before it was settled: 32 iterations, 2 steps, nothing missing."""
    for segment in finished.children[:SEGMENTS]:
        record = (segment.result_data or {})["record"]
        assert (record["iterations"], record["steps"], record["complete"]) == (32, 2, True)


def test_a_journey_loads_its_model_once(finished: Finished) -> None:
    """The task process keeps it from segment to segment."""
    loads = [(segment.result_data or {})["model_loads"] for segment in finished.children[:SEGMENTS]]
    assert loads == [1] * SEGMENTS


def test_a_finished_row_keeps_its_start_and_its_last_stage(finished: Finished) -> None:
    """An application that bills by the row can."""
    for segment in finished.children[:SEGMENTS]:
        assert segment.generation_started_at is not None
        assert (segment.progress or {})["stage"] == "output"


def test_the_console_tells_of_each_task_what_became_of_it(finished: Finished) -> None:
    """The orchestrator waits for its children; they are Complete."""
    told = {
        line["task_id"]: line["outcome"]
        for line in finished.worker.lines()
        if line["event"] == "settled"
    }
    children = {str(child.id): "Complete" for child in finished.children}
    assert told == {str(finished.orchestrator): "In Progress", **children}


def test_every_span_has_its_parent_in_the_trace(finished: Finished) -> None:
    """The tree has one root, the producer's span; segments hang on the orchestrator."""
    spans = {span.span_id: span for span in finished.spans}
    roots = [span.name for span in spans.values() if span.parent_id is None]
    assert roots == ["send tasks"]
    assert all(span.parent_id in spans for span in spans.values() if span.parent_id)
    parents = {span.name: spans[span.parent_id].name for span in spans.values() if span.parent_id}
    assert parents["process travel_segment"] == "process travel_orchestrator"
    assert parents["stage generate"] == "process travel_segment"
    assert parents["denoise step"] == "engine generate"
    assert parents["loop iteration"] == "stage parameters"


def test_the_journal_can_be_read_task_by_task(finished: Finished) -> None:
    """The index names each attempt once, and its range has an end."""
    wanted = sorted([str(finished.orchestrator), *(str(child.id) for child in finished.children)])
    for directory in process_directories(finished.home.path / "spool"):
        if JournalReader(directory).facts.role == "cli":
            continue
        entries = read_index(directory)
        assert sorted(entry.task_id for entry in entries) == wanted
        assert all(entry.last is not None for entry in entries)


def test_tasks_lists_the_journey(finished: Finished) -> None:
    """The orchestrator, its segments and the stitch, as JSON for programs."""
    rows = json.loads(finished.home.run("tasks", "--json").stdout)
    assert [row["status"] for row in rows] == ["Complete"] * (SEGMENTS + 2)


def test_tasks_shows_one_task(finished: Finished) -> None:
    """By the beginning of its id, with its children."""
    shown = finished.home.run("tasks", str(finished.orchestrator)[:8]).stdout
    assert "Complete" in shown
    assert shown.count("travel_segment") >= SEGMENTS


def test_trace_prints_the_journey_as_a_tree(finished: Finished) -> None:
    """Whichever of its ids is given."""
    for task in (finished.task, finished.children[0]):
        tree = finished.home.run("trace", str(task.id))
        assert tree.returncode == 0, tree.stderr
        assert tree.stdout.count("process travel_segment") == SEGMENTS


def test_trace_prints_the_journey_as_otlp(finished: Finished) -> None:
    """Every span that was journalled, once."""
    document = json.loads(finished.home.run("trace", str(finished.orchestrator), "--json").stdout)
    printed = Counter(
        span["spanId"]
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    )
    assert printed == Counter(span.span_id.hex() for span in finished.spans)


def test_health_is_1_once_the_worker_has_ended(finished: Finished) -> None:
    """A worker that is done is no worker."""
    assert finished.home.run("health").returncode == 1


def test_a_single_generation_of_text_needs_no_picture(home: Home) -> None:
    """`t2v` with a text and a size is a video of exactly the frames asked."""
    params = {
        "model_name": "tiny_t2v",
        "prompt": "a red ball",
        "resolution": "32x32",
        "video_length": 9,
        "num_inference_steps": 2,
        "seed": 1,
    }
    (task_id,) = home.enqueue({"task_type": "t2v", "params": params})
    home.work_until_idle()
    task = home.task(task_id)
    assert task.status is TaskStatus.COMPLETE, task.error_message
    assert read_frames(Path(task.output_location or "")).shape == (9, 32, 32, 3)


def test_a_failed_segment_takes_its_family_and_names_its_line(home: Home) -> None:
    """Its row has the place; each relative has the root cause; the worker lives on."""
    journey = home.journey(2)
    pictures = journey["params"]["orchestrator_details"]["input_image_paths_resolved"]
    (orchestrator,) = home.enqueue(journey)
    Path(pictures[1]).write_bytes(b"no picture at all")
    home.work_until_idle()
    failed = next(
        child for child in home.children(orchestrator) if not (child.error or {}).get("root_cause")
    )
    assert failed.status is TaskStatus.FAILED
    assert failed.error is not None
    assert failed.error["type"] == "worker.errors.InputError"
    assert failed.error["stage"] == "inputs"
    assert failed.error["file"].endswith(".py")
    assert failed.error["line"] > 0
    assert pictures[1] in (failed.error_message or "")
    for relative in [home.task(orchestrator), *home.children(orchestrator)]:
        assert relative.status is TaskStatus.FAILED
        if relative.id == failed.id:
            continue
        assert (relative.error_message or "").startswith(
            f"Cascaded failed from related task {failed.id}"
        )
        assert (relative.error or {})["root_cause"]["type"] == "worker.errors.InputError"
