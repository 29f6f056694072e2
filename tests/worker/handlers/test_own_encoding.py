"""The stage encode keeps what the engine has encoded itself, where that is what was asked."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.spans import Folder
from worker.handlers.registry import handler_for
from worker.task import Done
from worker.video.files import read_metadata, write_video
from worker.video.probing import VideoFacts, probe_video

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

ASKED = VideoFacts(frames=9, fps=8.0, width=64, height=48)
# x264 writes into the file how it was told to encode.
THEIRS, OURS = b" crf=40.0 ", b" crf=18.0 "
Do = Callable[[], tuple[Path, Mapping[str, Any]]]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Give a recorder in force."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    yield recorder
    recorder.close()


@pytest.fixture
def do(bench: "Bench", recorder: Recorder) -> Do:
    """Return a function that does a task; it returns its video and the encode span's attributes."""

    def run() -> tuple[Path, Mapping[str, Any]]:
        params = {"model_name": "fade_t2v", "prompt": "a walk", "seed": 3}
        done = handler_for("t2v").run(bench.context("t2v", params))
        assert isinstance(done, Done)
        folder = Folder()
        records = JournalReader(recorder.writer.directory).read()
        spans = {span.name: span for record in records for span in folder.feed(record)}
        return done.files[0], spans["stage encode"].attributes

    return run


def encoded(folder: Path, frames: int) -> Path:
    """Write what an engine might have."""
    folder.mkdir()
    path = folder / "theirs.mp4"
    write_video(np.zeros((frames, 48, 64, 3), np.uint8), path, fps=8.0, metadata={}, crf=40)
    return path


def test_what_is_as_asked_is_kept(bench: "Bench", do: Do, tmp_path: Path) -> None:
    """Not encoded a second time, and said to be; it has the request's metadata."""
    bench.engine.video = encoded(tmp_path / "engine", frames=9)
    video, said = do()
    content = video.read_bytes()
    assert (THEIRS in content, OURS in content) == (True, False)
    assert read_metadata(video)["seed"] == "3"
    assert said[names.OUTPUT_KEPT] is True
    assert names.OUTPUT_CRF not in said
    assert said[names.OUTPUT_BYTES] == len(content)


def test_the_engines_own_file_stays(bench: "Bench", do: Do, tmp_path: Path) -> None:
    """Its folder is the engine's."""
    bench.engine.video = encoded(tmp_path / "engine", frames=9)
    do()
    assert bench.engine.video.exists()


def test_what_is_not_as_asked_is_encoded_anew(
    bench: "Bench", do: Do, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From the frames, with a warning that says why."""
    bench.engine.video = encoded(tmp_path / "engine", frames=5)
    video, said = do()
    assert OURS in video.read_bytes()
    assert (said[names.OUTPUT_KEPT], said[names.OUTPUT_CRF]) == (False, 18)
    assert any("frames: asked 9, found 5" in record.getMessage() for record in caplog.records)


def test_what_is_gone_is_encoded_anew(
    bench: "Bench", do: Do, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The frames are there all the same."""
    bench.engine.video = tmp_path / "none.mp4"
    video, said = do()
    assert probe_video(video) == ASKED
    assert said[names.OUTPUT_KEPT] is False
    assert any("none.mp4" in record.getMessage() for record in caplog.records)


def test_of_an_engine_that_encodes_nothing_nothing_is_said(do: Do) -> None:
    """As before."""
    video, said = do()
    assert probe_video(video) == ASKED
    assert names.OUTPUT_KEPT not in said
