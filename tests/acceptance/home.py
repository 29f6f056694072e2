"""A home in which real workers do real journeys, as an operator would run them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from PIL import Image

from telemetry.journal import JournalReader, is_alive, process_directories
from telemetry.records import Kind
from worker.store.local import LocalStore
from worker.task import Task, TaskStatus

LOOP26 = str(Path(sys.executable).with_name("loop26"))
PATIENCE_S = 240.0


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until a condition holds and return what it gave; fail when it never does."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"in {patience_s:g} s there was no {what}"
        time.sleep(0.02)
    return value


def a_slow_task(steps: int = 1000) -> dict[str, Any]:
    """Make the payload of a generation that takes its time, in many small steps."""
    params = {
        "model_name": "tiny_t2v",
        "prompt": "a clock that ticks",
        "resolution": "32x32",
        "video_length": 5,
        "num_inference_steps": steps,
        "seed": 1,
        "guidance_phases": 1,
    }
    return {"task_type": "t2v", "params": params}


def a_quick_task() -> dict[str, Any]:
    """Make the payload of the smallest generation there is."""
    return a_slow_task(2)


class Worker:
    """One `loop26 run`, and what it prints."""

    def __init__(
        self,
        home: Path,
        environment: dict[str, str],
        *options: str,
        until_idle: bool = True,
        wrapper: Sequence[str] = (),
    ) -> None:
        self._log = home / f"run-{time.monotonic_ns()}.jsonl"
        command = [*wrapper, LOOP26, "--home", str(home), *options, "run"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command + ["--until-idle"] * until_idle,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        self.spool = home / "spool"

    def output(self) -> bytes:
        """Return what it has printed so far, as it is."""
        return self._log.read_bytes()

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has printed so far; lines that are no JSON come as text."""
        complete = self._log.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) if line[:1] == "{" else {"event": line} for line in complete]

    def heard(self, event: str, **fields: Any) -> dict[str, Any] | None:
        """Return the first printed event of this name with these fields."""
        for line in self.lines():
            if line["event"] == event and all(line.get(k) == v for k, v in fields.items()):
                return line
        return None

    def wait_for(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait until an event is printed."""

        def heard() -> Any:
            found = self.heard(event, **fields)
            assert found or self.process.poll() is None, f"it ended before {event}: {self.lines()}"
            return found

        found: dict[str, Any] = wait_for(heard, f"event {event} {fields}")
        return found

    def task_process(self, seen_from: Path = Path("/")) -> int:
        """Return the process id of its living task process; 0 when there is none.

        `seen_from` is the root of the mounts among which its spool is.
        """
        for directory in reversed(process_directories(seen_from / self.spool.relative_to("/"))):
            facts = JournalReader(directory).facts
            mine = facts.role == "task" and facts.facts["supervisor_pid"] == self.process.pid
            if mine and is_alive(directory):
                return facts.pid
        return 0

    def status_files(self) -> list[Path]:
        """Return its status file, once it has written one."""
        return list(self.spool.glob(f"*-supervisor-{self.process.pid}-*/health.json"))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)


class Home:
    """A folder with pictures, a queue, and workers that are ended with the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.workers: list[Worker] = []
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LOOP26_", "OTEL_", "SENTRY_"))
        }
        # More threads than one only wait for each other in a model this small.
        self.environment["LOOP26_THREADS"] = "1"

    def pictures(self, count: int) -> list[str]:
        """Draw small pictures and return their paths."""
        folder = self.path / "pictures"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{number}.png" for number in range(count)]
        for number, path in enumerate(paths):
            Image.new("RGB", (48, 48), (40 * number, 90, 200 - 30 * number)).save(path)
        return [str(path) for path in paths]

    def journey(self, segments: int = 2, **details: Any) -> dict[str, Any]:
        """Make the payload of a small journey: 32x32 pixels, 5 frames, 2 steps a segment."""
        return {
            "task_type": "travel_orchestrator",
            "params": {
                "orchestrator_details": {
                    "model_name": "tiny_i2v",
                    "parsed_resolution_wh": "32x32",
                    "num_new_segments_to_generate": segments,
                    "segment_frames_expanded": [5] * segments,
                    "frame_overlap_expanded": [2] * (segments - 1),
                    "base_prompts_expanded": ["a journey"] * segments,
                    "negative_prompts_expanded": [""] * segments,
                    "input_image_paths_resolved": self.pictures(segments + 1),
                    "seed_base": 26,
                    "num_inference_steps": 2,
                    **details,
                }
            },
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command of loop26 to its end."""
        return subprocess.run(
            [LOOP26, "--home", str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env=self.environment,
        )

    def enqueue(self, *tasks: dict[str, Any]) -> list[UUID]:
        """Enqueue tasks by the command; return their ids."""
        done = self.run("enqueue", "-", stdin=json.dumps(list(tasks)))
        assert done.returncode == 0, done.stderr
        return [UUID(line) for line in done.stdout.split()]

    def worker(self, *options: str, until_idle: bool = True, wrapper: Sequence[str] = ()) -> Worker:
        """Start a worker; `wrapper` is a command that executes the one that follows it."""
        worker = Worker(
            self.path, self.environment, *options, until_idle=until_idle, wrapper=wrapper
        )
        self.workers.append(worker)
        return worker

    def store(self) -> LocalStore:
        """Open the queue, as an application beside the worker would."""
        return LocalStore(self.path / "queue.db")

    def task(self, task_id: UUID) -> Task:
        """Read one task."""
        with closing(self.store()) as store:
            return store.get(task_id)

    def children(self, task_id: UUID) -> list[Task]:
        """Read an orchestrator's children, in the order of their insertion."""
        with closing(self.store()) as store:
            return store.list_tasks(parent_id=task_id)

    def told(self, task_id: UUID) -> list[str]:
        """Return the names of a task's events, oldest first."""
        with closing(self.store()) as store:
            return [event.name for event in store.events(task_id)]

    def rows(self) -> sqlite3.Connection:
        """Open the queue's file as another application does; it is made where there is none."""
        self.store().close()
        return sqlite3.connect(self.path / "queue.db", isolation_level=None)

    def insert(self, **params: Any) -> UUID:
        """Insert a small task as another application does: unchecked."""
        return self.insert_row(json.dumps({**a_quick_task()["params"], **params}))

    def insert_row(
        self, params: str, *, task_id: UUID | None = None, result_data: str | None = None
    ) -> UUID:
        """Insert a row as another application does, whatever it holds."""
        task_id = task_id or uuid4()
        with closing(self.rows()) as connection:
            connection.execute(
                "INSERT INTO tasks (id, task_type, params, result_data) VALUES (?, 't2v', ?, ?)",
                [str(task_id), params, result_data],
            )
        return task_id

    def begun(self) -> Counter[str]:
        """Count the spans that were begun, by id."""
        return Counter(
            record.body.span_id.hex()
            for directory in process_directories(self.path / "spool")
            for record in JournalReader(directory).read()
            if record.kind is Kind.SPAN_BEGIN
        )

    def work_until_idle(self, *options: str, patience_s: float = PATIENCE_S) -> Worker:
        """Run a worker until nothing is left, and see that it ended well."""
        worker = self.worker(*options)
        assert worker.process.wait(timeout=patience_s) == 0, worker.lines()
        return worker

    def close(self) -> None:
        """End every worker, by its own pid; its task process goes with it."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
        alive = [d for d in process_directories(self.path / "spool") if is_alive(d)]
        wait_for(lambda: not any(map(is_alive, alive)), "end of the task processes", 20)


@contextmanager
def home_at(path: Path) -> Iterator[Home]:
    """Give an empty home in a folder; whatever runs in it is ended at the end."""
    home = Home(path / "home")
    home.path.mkdir()
    try:
        yield home
    finally:
        home.close()


def assert_whole(home: Home, orchestrators: list[UUID], segments: int) -> None:
    """See that each journey is complete, with its children once each and their files there."""
    for orchestrator in orchestrators:
        children = home.children(orchestrator)
        types = [child.task_type for child in children]
        assert types == ["travel_segment"] * segments + ["travel_stitch"]
        for task in [home.task(orchestrator), *children]:
            assert task.status is TaskStatus.COMPLETE, task
            assert Path(task.output_location or "").is_file()
