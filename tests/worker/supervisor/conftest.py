"""A home with a queue, outputs and journals, as a supervisor has them, without its processes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from telemetry.recorder import Recorder
from worker.output.storage import LocalStorage
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.supervisor.retries import RetryPolicy
from worker.supervisor.settling import Settler
from worker.task import Claim, NewTask

# Starts a journal and dies: what a supervisor leaves that was killed.
DEAD = """
import os, sys
from pathlib import Path
from telemetry.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), role=sys.argv[2])
print(recorder.writer.directory, flush=True)
if len(sys.argv) > 3:
    task_id, trace_id, span_id = sys.argv[3:]
    recorder.task(task_id=task_id, attempt=1, task_type="t2v", trace_id=bytes.fromhex(trace_id),
                  worker_id="gpu").__enter__()
    recorder.span("process t2v", trace_id=bytes.fromhex(trace_id),
                  span_id=bytes.fromhex(span_id)).__enter__()
    recorder.stage("generate").__enter__()
os.kill(os.getpid(), 9)
"""


class Desk:
    """What a supervisor works with."""

    def __init__(self, path: Path) -> None:
        self.spool = path / "spool"
        self.store = LocalStore(path / "queue.db", busy_timeout_s=0.1)
        self.recorder = Recorder.open(self.spool, role="supervisor")
        self.settler = Settler(
            store=self.store,
            storage=LocalStorage(path / "outputs"),
            recorder=self.recorder,
            lease_s=60,
            retries=RetryPolicy(),
        )

    @staticmethod
    def request() -> ClaimRequest:
        """Ask for a task."""
        return ClaimRequest(
            worker_id="gpu",
            token=uuid4(),
            task_types=("t2v",),
            lease_s=60,
            trace_id="a" * 32,
            span_id="b" * 16,
        )

    def claim(self, request: ClaimRequest | None = None) -> Claim:
        """Insert a task and claim it."""
        (task_id,) = self.store.insert([NewTask(task_type="t2v", params={})])
        claim = self.store.claim(request or self.request())
        assert claim is not None
        assert claim.task.id == task_id
        return claim

    def video(self, claim: Claim) -> Path:
        """Write what the claim's task process would leave to be published."""
        path = self.settler.storage.attempt_dir(claim.task.id, claim.token) / "video.mp4"
        path.write_bytes(b"frames")
        return path

    def dead_journal(self, role: str, *, at_work_on: Claim | None = None) -> Path:
        """Return the journal of a process that was killed, over a task or between two."""
        task = [str(at_work_on.task.id), "a" * 32, "b" * 16] if at_work_on else []
        done = subprocess.run(
            [sys.executable, "-c", DEAD, str(self.spool), role, *task],
            capture_output=True,
            text=True,
            check=False,
        )
        return Path(done.stdout.strip())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a supervisor's desk."""
    desk = Desk(tmp_path)
    yield desk
    desk.recorder.close()
    desk.store.close()
