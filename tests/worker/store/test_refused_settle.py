"""What becomes of an outcome that the queue will not hear: the worker's right has run out."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry.recorder import Recorder
from worker.errors import QueueForbidden
from worker.output.storage import LocalStorage
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access
from worker.supervisor.retries import RetryPolicy
from worker.supervisor.settling import Settler
from worker.task import Done, TaskStatus

from .shared_queue import WORKER_TOKEN

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase
    from tests.worker.store.conftest import Queue

STORES = ("supabase-token",)


def test_an_outcome_outlives_the_token_that_was_to_settle_it(
    queue: "Queue", supabase_server: "Supabase", tmp_path: Path
) -> None:
    """It is raised, the output stays, and whoever comes with the right settles it."""
    assert queue.shared is not None
    task_id = queue.insert()
    claim = queue.claim()
    url, key = supabase_server.rest_url, supabase_server.key("anon")
    access = Access(url=url, rest_url=url, key=key, worker_token=WORKER_TOKEN)
    recorder = Recorder.open(tmp_path / "spool", role="supervisor")
    with closing(SupabaseStore(access)) as store:
        settler = Settler(
            store=store,
            storage=LocalStorage(tmp_path / "outputs"),
            recorder=recorder,
            lease_s=60,
            retries=RetryPolicy(),
        )
        video = settler.storage.attempt_dir(task_id, claim.token) / "video.mp4"
        video.write_bytes(b"frames")
        _revoke(queue, at="now()")
        with pytest.raises(QueueForbidden, match="was revoked"):
            settler.settle(claim, Done(files=(video,)), {})
        assert video.exists()
        _revoke(queue, at="null")
        assert settler.settle(claim, Done(files=(video,)), {}).status == TaskStatus.COMPLETE
    recorder.close()
    assert queue.status(task_id) is TaskStatus.COMPLETE


def _revoke(queue: "Queue", *, at: str) -> None:
    assert queue.shared is not None
    queue.shared.connection.execute(f"update loop26.worker_tokens set revoked_at = {at}")  # noqa: S608 - the test's own words
