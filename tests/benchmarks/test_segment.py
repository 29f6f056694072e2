"""What the worker adds to a segment: through it, against the same without it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.home import Home, Worker
from tests.benchmarks.conftest import Bench
from tests.benchmarks.segment import DESCRIBED, FRAMES, RESOLUTION, STEPS, a_segment

PROGRAM = Path(__file__).with_name("bare_segment.py")
WAYS = {
    "pipeline": "diffusers' pipeline call and ffmpeg",
    "engine": "our engine's call and our verified file, unrecorded",
}


class Bare:
    """A process that makes segments without the worker."""

    def __init__(self, process: "subprocess.Popen[str]", videos: Path) -> None:
        self._process = process
        self._videos = videos
        self._count = 0
        assert self.read() == "ready"

    def read(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def segment(self, picture: str) -> float:
        """Have one made; return its seconds."""
        assert self._process.stdin is not None
        self._count += 1
        self._process.stdin.write(f"{picture} {self._videos / f'{self._count}.mp4'}\n")
        self._process.stdin.flush()
        return float(self.read())


@contextmanager
def bare(way: str, home: Home) -> Iterator[Bare]:
    """Start one that goes a way."""
    videos = home.path / f"bare-{way}"
    videos.mkdir()
    asked = [way, str(home.path / "models"), RESOLUTION, str(FRAMES), str(STEPS)]
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), *asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=home.environment,
    ) as process:
        yield Bare(process, videos)
        assert process.stdin is not None
        process.stdin.close()


def through_the_worker(home: Home, worker: Worker, picture: str) -> float:
    """Enqueue one task and return its seconds from claim to settle."""
    (task_id,) = home.enqueue(a_segment(picture))
    settled = worker.wait_for("settled", task_id=str(task_id))
    assert settled["outcome"] == "Complete", settled
    return float(settled["seconds"])


@pytest.mark.benchmark("P7")
@pytest.mark.timeout(3600)
def test_a_segment_through_the_worker_against_the_same_without_it(bench: Bench, home: Home) -> None:
    """In turns, start-up apart, all of them with one thread."""
    turns = bench.pick(12, 2)
    picture = home.pictures(1)[0]
    worker = home.worker("--set", "threads=1", until_idle=False)
    through_the_worker(home, worker, picture)  # builds the model, and loads it
    with bare("pipeline", home) as pipeline, bare("engine", home) as engine:
        for one in (pipeline, engine):
            one.segment(picture)
        took = [
            (
                through_the_worker(home, worker, picture),
                pipeline.segment(picture),
                engine.segment(picture),
            )
            for _ in range(turns)
        ]
    assert worker.end() == 0
    ours, *theirs = zip(*took, strict=True)
    for way, seconds in zip(WAYS, theirs, strict=True):
        bench.add(
            "a segment, claim to settle",
            "s",
            ours,
            seconds,
            size=DESCRIBED,
            beside=WAYS[way],
            goal="1.01",
        )
