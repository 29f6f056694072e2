"""What is said of a journey that is Complete, and its contact sheet."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from worker.demo.journey import EFFECTS, Laid, frames_of_video, journey, lay_out
from worker.demo.outcome import Outcome, in_words, write_sheet
from worker.demo.scenes import FPS, FRAMES, HEIGHT, WIDTH
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import ORCHESTRATOR, SEGMENT, STITCH, Claim, NewTask
from worker.video.files import write_video

GREYS = (40, 120, 200)  # of the segments, in their order


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """Open an empty queue."""
    store = LocalStore(tmp_path / "queue.db")
    yield store
    store.close()


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """Lay out the demo's files."""
    return lay_out(tmp_path / "inputs")


@pytest.fixture
def outcome(store: LocalStore, laid: Laid, tmp_path: Path) -> Outcome:
    """Complete a journey whose segments, each of a grey of its own, come last first."""
    asked = journey(laid)
    store.insert([asked])
    orchestrator = claimed(store, ORCHESTRATOR)
    segments = [
        NewTask(task_type=SEGMENT, params={"segment_index": index}, parent_id=asked.id)
        for index in reversed(range(len(EFFECTS)))
    ]
    stitch = NewTask(task_type=STITCH, params={}, parent_id=asked.id)
    store.spawn(orchestrator.token, [*segments, stitch], result={})
    for _ in segments:
        claim = claimed(store, SEGMENT)
        index = claim.task.params["segment_index"]
        video = grey_video(tmp_path / f"{index}.mp4", GREYS[index], FRAMES)
        result = {"model_loads": 1, "record": {"spans": 49, "lost": 0}}
        store.complete(claim.token, output_location=str(video), result=result)
    joined = grey_video(tmp_path / "joined.mp4", 80, frames_of_video())
    store.complete(claimed(store, STITCH).token, output_location=str(joined), result={})
    return Outcome.of(store, store.get(asked.id))


def claimed(store: LocalStore, task_type: str) -> Claim:
    """Claim a task of a type."""
    request = ClaimRequest(
        worker_id="demo", token=uuid4(), task_types=[task_type], lease_s=60.0,
        trace_id="1" * 32, span_id="2" * 16,
    )  # fmt: skip
    claim = store.claim(request)
    assert claim is not None
    return claim


def grey_video(path: Path, grey: int, frames: int) -> Path:
    """Write a video of one grey."""
    write_video(
        np.full((frames, HEIGHT, WIDTH, 3), grey, dtype=np.uint8), path, fps=FPS, metadata={}
    )
    return path


def said(outcome: Outcome, store: LocalStore) -> str:
    """Print what is said, as a wide terminal shows it."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(in_words(outcome, store, 12.3))
    return captured.get()


def test_video_and_its_facts_are_named(outcome: Outcome, store: LocalStore) -> None:
    """Where it is, and what decoding it has shown."""
    text = said(outcome, store)
    assert str(outcome.video) in text
    assert "47 frames, 256x192, 12 frames a second, 3.92 s" in text
    assert "expected" not in text


def test_what_was_measured_is_a_line_for_each_task(outcome: Outcome, store: LocalStore) -> None:
    """The journey's, its segments' in their order, the stitch's."""
    lines = [line for line in said(outcome, store).splitlines() if "travel_" in line]
    assert [line.split("  ")[1].strip() for line in lines] == [
        "travel_orchestrator",
        *(f"travel_segment {index}" for index in range(len(EFFECTS))),
        "travel_stitch",
    ]
    assert all(" 49 " in line for line in lines[1:4])


def test_contact_sheet_shows_the_segments_in_their_order(
    outcome: Outcome, laid: Laid, tmp_path: Path
) -> None:
    """However the queue lists them: each row's middle frame has its segment's grey."""
    path = tmp_path / "sheet.png"
    write_sheet(outcome, laid, path)
    with Image.open(path) as sheet:
        middle = np.asarray(sheet.convert("L"), dtype=int)[:, sheet.width // 2]
    rows = [int(np.nonzero(np.abs(middle - grey) <= 3)[0].mean()) for grey in GREYS]
    assert rows == sorted(rows)
