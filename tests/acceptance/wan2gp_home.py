"""A home whose worker drives a stand-in checkout, in the checkout's own interpreter."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from telemetry.journal import JournalReader, process_directories, read_index
from telemetry.records import Kind as RecordKind
from telemetry.records import Log
from telemetry.spans import Folder, Span
from tests.acceptance.home import Home, Worker, home_at, wait_for
from tests.standins.checkouts import Checkout, Kind, make_checkout
from worker.task import NewTask, Task

QUICKLY = ("--set", "poll_s=0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A home, and the checkout that its workers drive."""

    home: Home
    checkout: Checkout

    def video(self, model: str = "i2v_standin", **params: Any) -> NewTask:
        """Make a small generation: 64x48, 9 frames, 4 steps."""
        picture = {} if model == "t2v_standin" else {"image_start": self.home.pictures(1)[0]}
        asked: dict[str, Any] = {
            "model_name": model,
            "prompt": "a clock that ticks",
            "resolution": "64x48",
            "video_length": 9,
            "num_inference_steps": 4,
            "seed": 26,
        }
        return NewTask(
            task_type="t2v" if model == "t2v_standin" else "i2v",
            params={**asked, **picture, **params},
        )

    def insert(self, *tasks: NewTask) -> list[UUID]:
        """Insert tasks as another application does: unchecked."""
        with closing(self.home.store()) as store:
            return store.insert(list(tasks))

    def worker(self, *options: str, until_idle: bool = False) -> Worker:
        """Start a worker that looks often whether there is a task."""
        return self.home.worker(*QUICKLY, *options, until_idle=until_idle)

    def settled(self, worker: Worker, task: NewTask, fault: str = "") -> Task:
        """Have a worker do a task, in which the checkout meets a fault if one is named."""
        if fault:
            self.checkout.break_with(fault)
        try:
            (task_id,) = self.insert(task)
            worker.wait_for("settled", task_id=str(task_id))
        finally:
            self.checkout.mend()
        return self.home.task(task_id)

    def begun(self, worker: Worker, task: NewTask, fault: str, step: int = 2) -> UUID:
        """Have a worker begin a task; return when it has come to a step."""
        self.checkout.break_with(fault)
        (task_id,) = self.insert(task)
        worker.wait_for("progress", task_id=str(task_id), step=step)
        return task_id

    def investigated(self, task_id: UUID) -> dict[str, Any]:
        """Return what an investigation finds, as JSON."""
        done = self.home.run("investigate", str(task_id), "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def told(self, task_id: UUID) -> str:
        """Return what an investigation finds, as a person reads it."""
        done = self.home.run("investigate", str(task_id))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def last_call(self) -> dict[str, Any]:
        """Return what the last call that came to a video was given."""
        written = sorted(
            (self.home.path / "wan2gp").glob("run-*/last_call.json"),
            key=lambda path: path.stat().st_mtime_ns,
        )
        return self.checkout.last_call(written[-1].parent)

    def line_with(self, file: str, text: str) -> tuple[Path, int]:
        """Find the one line of a file of the checkout that holds a text."""
        path = self.checkout.root / file
        lines = path.read_text().splitlines()
        [number] = [number for number, line in enumerate(lines, start=1) if text in line]
        return path, number


@contextmanager
def driven(kind: Kind, folder: Path, python: Path) -> Iterator[Driven]:
    """Give a home and a new checkout of a kind; whatever runs in it is ended at the end."""
    with home_at(folder) as home:
        checkout = make_checkout(kind, folder / "checkout")
        home.environment |= {
            "LOOP26_ENGINE": "wan2gp",
            "LOOP26_WAN2GP_CHECKOUT": str(checkout.root),
            "LOOP26_WAN2GP_PYTHON": str(python),
        }
        yield Driven(home=home, checkout=checkout)


def ended(worker: Worker) -> None:
    """End a worker that has nothing to do, and see that it ended well."""
    assert worker.end() == 0, worker.lines()
    wait_for(lambda: not worker.task_process(), "end of the task process", 20)


def spans_by_task(home: Home) -> dict[str, list[Span]]:
    """Fold the journals of a home's task processes into spans, by task id."""
    found: dict[str, list[Span]] = {}
    for directory in process_directories(home.path / "spool"):
        if JournalReader(directory).facts.role != "task":
            continue
        for entry in read_index(directory):
            folder = Folder()
            for record in JournalReader(directory).read(start=entry.first, stop=entry.last):
                found.setdefault(entry.task_id, []).extend(folder.feed(record))
    return found


def logs_of(home: Home, task_id: UUID) -> list[Log]:
    """Return the log records of a task, in their order."""
    return [
        record.body
        for directory in process_directories(home.path / "spool")
        if JournalReader(directory).facts.role == "task"
        for entry in read_index(directory)
        if entry.task_id == str(task_id)
        for record in JournalReader(directory).read(start=entry.first, stop=entry.last)
        if record.kind is RecordKind.LOG
    ]
