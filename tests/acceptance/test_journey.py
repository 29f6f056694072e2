"""A journey of pictures becomes a video, and every step of it is a journalled span."""

import json
from collections import Counter
from pathlib import Path

from telemetry.journal import JournalReader, process_directories, read_index
from telemetry.spans import Folder, Span
from tests.acceptance.home import Home, assert_whole
from worker.output.video import read_frames
from worker.task import TaskStatus

SEGMENTS = 3
OVERLAP = 2
FRAMES = 5


def spans_of(home: Home) -> list[Span]:
    """Fold every journal of a home into its spans."""
    found: list[Span] = []
    for directory in process_directories(home.path / "spool"):
        folder = Folder()
        for record in JournalReader(directory).read():
            found += folder.feed(record)
        assert folder.open_spans == ()
    return found


def test_a_journey_becomes_one_video_and_one_trace(home: Home) -> None:
    """Three segments and a stitch: one model load, 32 iterations each, every span in one trace."""
    (orchestrator,) = home.enqueue(home.journey(SEGMENTS))
    worker = home.work_until_idle()
    assert_whole(home, [orchestrator], SEGMENTS)
    task = home.task(orchestrator)
    assert task.output_location is not None
    frames = read_frames(Path(task.output_location))
    assert frames.shape == (SEGMENTS * FRAMES - (SEGMENTS - 1) * OVERLAP, 32, 32, 3)
    segments = home.children(orchestrator)[:SEGMENTS]
    for segment in segments:
        result = segment.result_data or {}
        assert result["record"]["iterations"] == 32
        assert result["record"]["steps"] == 2
        assert result["record"]["complete"] is True
        assert result["model_loads"] == 1
        assert segment.generation_started_at is not None
        assert (segment.progress or {})["stage"] == "output"
    spans = spans_of(home)
    traced = [span for span in spans if span.name != "engine device"]
    assert {span.trace_id.hex() for span in traced} == {(task.trace_context or "").split("-")[1]}
    names = Counter(span.name for span in traced)
    assert names["loop iteration"] == SEGMENTS * 32
    assert names["denoise step"] == SEGMENTS * 2
    assert names["process travel_segment"] == SEGMENTS
    assert names["process travel_orchestrator"] == names["process travel_stitch"] == 1
    assert names["send tasks"] == 2
    assert names["receive tasks"] == names["settle tasks"] == SEGMENTS + 2
    assert worker.heard("settled", task_id=str(orchestrator)) is not None


def test_every_span_has_its_parent_in_the_trace(home: Home) -> None:
    """The tree has one root, the producer's span; segments hang on the orchestrator."""
    home.enqueue(home.journey(1))
    home.work_until_idle()
    spans = {span.span_id: span for span in spans_of(home) if span.name != "engine device"}
    roots = [span.name for span in spans.values() if span.parent_id is None]
    assert roots == ["send tasks"]
    assert all(span.parent_id in spans for span in spans.values() if span.parent_id)
    parents = {span.name: spans[span.parent_id].name for span in spans.values() if span.parent_id}
    assert parents["process travel_segment"] == "process travel_orchestrator"
    assert parents["stage generate"] == "process travel_segment"
    assert parents["denoise step"] == "engine generate"
    assert parents["loop iteration"] == "stage parameters"


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


def test_the_journal_can_be_read_task_by_task(home: Home) -> None:
    """The index names each attempt once, and its range holds that attempt's records alone."""
    (orchestrator,) = home.enqueue(home.journey(1))
    home.work_until_idle()
    wanted = {str(orchestrator), *(str(child.id) for child in home.children(orchestrator))}
    for directory in process_directories(home.path / "spool"):
        reader = JournalReader(directory)
        if reader.facts.role == "cli":
            continue
        entries = read_index(directory)
        assert sorted(entry.task_id for entry in entries) == sorted(wanted)
        assert all(entry.last is not None for entry in entries)


def test_the_commands_tell_what_happened(home: Home) -> None:
    """`tasks`, `tasks ID`, `trace ID` and `health` say it for people and for programs."""
    (orchestrator,) = home.enqueue(home.journey(1))
    home.work_until_idle()
    rows = json.loads(home.run("tasks", "--json").stdout)
    assert [row["status"] for row in rows] == ["Complete"] * 3
    shown = home.run("tasks", str(orchestrator)[:8])
    assert "Complete" in shown.stdout
    tree = home.run("trace", str(orchestrator))
    assert tree.returncode == 0, tree.stderr
    assert "process travel_segment" in tree.stdout
    assert "32" in tree.stdout
    spans = json.loads(home.run("trace", str(orchestrator), "--json").stdout)
    assert spans["resourceSpans"]
    assert home.run("health").returncode == 1
