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
from worker.supervisor.settling import Settler
from worker.task import Claim, NewTask

# Starts a journal and dies: what a supervisor leaves that was killed.
DEAD = """
import os, sys
from pathlib import Path
from telemetry.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), role=sys.argv[2])
print(recorder.writer.directory, flush=True)
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
            max_attempts=3,
            max_deaths=3,
        )

    def claim(self) -> Claim:
        """Insert a task and claim it."""
        (task_id,) = self.store.insert([NewTask(task_type="t2v", params={})])
        request = ClaimRequest(
            worker_id="gpu",
            token=uuid4(),
            task_types=("t2v",),
            lease_s=60,
            trace_id="a" * 32,
            span_id="b" * 16,
        )
        claim = self.store.claim(request)
        assert claim is not None
        assert claim.task.id == task_id
        return claim

    def video(self, claim: Claim) -> Path:
        """Write what the claim's task process would leave to be published."""
        path = self.settler.storage.attempt_dir(claim.task.id, claim.token) / "video.mp4"
        path.write_bytes(b"frames")
        return path

    def dead_journal(self, role: str) -> Path:
        """Return the journal of a process that was killed."""
        done = subprocess.run(
            [sys.executable, "-c", DEAD, str(self.spool), role],
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
