"""Pictures that are decoded piece by piece are encoded while the engine goes on."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.spans import Folder
from tests.acceptance.home import wait_for
from worker.engines.base import Generated, Inputs, Observer
from worker.errors import OutputError
from worker.handlers.registry import handler_for
from worker.params.request import GenerationRequest
from worker.task import Done
from worker.video.files import read_frames, read_metadata, write_video
from worker.video.probing import probe_video

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

PARAMS = {"model_name": "fade_t2v", "prompt": "a walk", "seed": 3}


def do(bench: "Bench") -> tuple[Path, ...]:
    """Do a task; return its files."""
    done = handler_for("t2v").run(bench.context("t2v", PARAMS))
    assert isinstance(done, Done)
    return done.files


def encode_span(recorder: Recorder) -> Mapping[str, Any]:
    """Return what the span of the stage encode holds."""
    folder = Folder()
    spans = [
        span for one in JournalReader(recorder.writer.directory).read() for span in folder.feed(one)
    ]
    (found,) = [span for span in spans if span.name == "stage encode"]
    return found.attributes


def work_folders(bench: "Bench") -> list[str]:
    """Return what lies in the work folders."""
    return sorted(file.name for file in (bench.folder / "work").glob("*/*"))


@pytest.fixture
def recorder(tmp_path: Path) -> Any:
    """Give a recorder in force."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    yield recorder
    recorder.close()


def test_what_was_begun_is_finished(
    bench: "Bench", recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is whole, has its metadata, and the stage says that it was begun."""
    bench.engine.told_early = 9
    generate = bench.engine.generate

    def waiting(request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        generated = generate(request, inputs, observer)
        wait_for(lambda: ".video.mp4.partial" in work_folders(bench), "an encoder", 60)
        return generated

    monkeypatch.setattr(bench.engine, "generate", waiting)
    video, *_ = do(bench)
    assert probe_video(video).frames == 9
    assert read_metadata(video)["seed"] == "3"
    assert 1 <= encode_span(recorder)[names.OUTPUT_ENCODED_EARLY] <= 9
    assert encode_span(recorder)[names.WORKING_THREAD].startswith("0x")
    assert work_folders(bench) == ["request.json", "thumbnail.jpg", "video.mp4"]


def test_it_is_the_video_that_is_encoded_afterwards(bench: "Bench") -> None:
    """Bit for bit the same pictures."""
    late, *_ = do(bench)
    bench.engine.told_early = 9
    early, *_ = do(bench)
    assert (read_frames(early) == read_frames(late)).all()


def test_an_engine_that_told_of_some_is_encoded_from_what_it_returns(
    bench: "Bench", recorder: Recorder
) -> None:
    """What it returns is the video."""
    bench.engine.told_early = 5
    video, *_ = do(bench)
    assert probe_video(video).frames == 9
    assert encode_span(recorder)[names.OUTPUT_ENCODED_EARLY] == 0
    assert work_folders(bench) == ["request.json", "thumbnail.jpg", "video.mp4"]


def test_the_engines_own_file_comes_before_what_was_begun(
    bench: "Bench", recorder: Recorder, tmp_path: Path
) -> None:
    """What was begun writes no more when that is taken over."""
    bench.engine.told_early = 9
    bench.engine.video = tmp_path / "theirs.mp4"
    grey = np.full((9, 48, 64, 3), 128, np.uint8)
    write_video(grey, bench.engine.video, fps=8.0, metadata={}, crf=40)
    video, *_ = do(bench)
    assert encode_span(recorder)[names.OUTPUT_KEPT] is True
    assert abs(read_frames(video).astype(int) - 128).max() < 3
    assert work_folders(bench) == ["request.json", "thumbnail.jpg", "video.mp4"]


def test_trouble_that_nobody_would_meet_is_logged(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine fails while the file cannot be written: both are to be known."""
    bench.engine.told_early = 9
    generate, context = bench.engine.generate, bench.context("t2v", PARAMS)
    (context.work_dir / ".video.mp4.ffmetadata").mkdir()

    def failing(request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        generate(request, inputs, observer)
        wait_for(lambda: "encoder" not in [one.name for one in threading.enumerate()], "end", 60)
        raise LookupError("the last line of the engine")

    monkeypatch.setattr(bench.engine, "generate", failing)
    with pytest.raises(LookupError):
        handler_for("t2v").run(context)
    assert any("while it was decoded" in record.getMessage() for record in caplog.records)


def test_a_failing_engine_leaves_no_file(bench: "Bench", monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is stopped, whatever ends the task."""
    bench.engine.told_early = 9
    generate = bench.engine.generate

    def failing(request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        generate(request, inputs, observer)
        raise LookupError("the last line of the engine")

    monkeypatch.setattr(bench.engine, "generate", failing)
    with pytest.raises(LookupError):
        do(bench)
    assert work_folders(bench) == []


def test_a_second_try_begins_anew(bench: "Bench", monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture of the try that found no memory is in the video."""
    bench.engine.told_early = 9
    generate = bench.engine.generate
    tries: list[int] = []

    def at_first_failing(
        request: GenerationRequest, inputs: Inputs, observer: Observer
    ) -> Generated:
        tries.append(1)
        generated = generate(request, inputs, observer)
        if len(tries) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return generated

    monkeypatch.setattr(bench.engine, "generate", at_first_failing)
    video, *_ = do(bench)
    assert len(tries) == 2
    assert probe_video(video).frames == 9


def test_a_file_that_cannot_be_written_fails_the_stage_encode(
    bench: "Bench", recorder: Recorder
) -> None:
    """The engine, which only told of pictures, goes on to its end and is not blamed."""
    bench.engine.told_early = 9
    context = bench.context("t2v", PARAMS)
    (context.work_dir / "video.mp4").mkdir()
    with pytest.raises(OutputError, match=r"video\.mp4"):
        handler_for("t2v").run(context)
    assert names.OUTPUT_ENCODED_EARLY in encode_span(recorder)
