"""A worker whose task has failed, the bucket that has its black box, and a laptop without records.

The bucket is of a real S3 server, or of Supabase Storage as far as it can be had.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from telemetry import Recorder, names
from telemetry.reports.case import Case
from tests.servers.proxy import UnreliableProxy
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.worker.incident import FAILURE
from tests.worker.output.supabase_storage import SECRET_KEY, Kept, SupabaseStorage
from worker.blackboxes import BlackBoxes
from worker.casework import gather
from worker.casework.fetched_boxes import FetchedBoxes
from worker.settings import Settings
from worker.settings.configuration import load
from worker.settings.home import prepare_home
from worker.settings.storing import open_storage
from worker.store.contexts import span_id_of, trace_id_of
from worker.store.local import LocalStore
from worker.task import Claim

from .conftest import Bench


@dataclass(slots=True, kw_only=True)
class Laptop:
    """A home that knows the queue and the bucket of a worker, and nothing that it recorded.

    Attributes:
        options: What a worker's and the laptop's settings say of the bucket.
        wait_s: For how long a report asks the bucket.
    """

    home: Path
    bench: Bench
    server: S3Server | SupabaseStorage
    proxy: UnreliableProxy
    options: dict[str, object]
    wait_s: float = 60.0
    told: dict[str, object] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Read its settings, and have its home ready."""
        settings = load({"home": self.home, **self.options, **self.told}).settings
        prepare_home(settings)
        return settings

    @property
    def worker_settings(self) -> Settings:
        """Read the settings of the worker."""
        return load({"home": self.bench.home, **self.options}).settings

    def failed(self) -> UUID:
        """Have the worker's newest task fail, and its black box sent."""
        self.bench.insert()
        claim = self.bench.claim()
        self.bench.settings = self.worker_settings
        record(self.bench.settings, claim)
        task_id = self.bench.fail(claim)
        self.send(task_id)
        return task_id

    def send(self, task_id: UUID) -> None:
        """Have the worker keep and send a black box."""
        settings = self.bench.settings
        with (
            contextlib.closing(open_storage(settings)) as storage,
            BlackBoxes(
                settings,
                lambda: LocalStore(settings.queue_path),
                storage=storage,
                end_wait_s=60,
            ) as boxes,
        ):
            boxes.keep(task_id)

    def case(self, task_id: UUID) -> Case:
        """Gather a task's case, as a command on the laptop does."""
        store, settings = self.bench.store, self.settings
        fetch = FetchedBoxes(settings, wait_s=self.wait_s)
        return gather(settings, store, store.get(task_id), fetch=fetch)

    def asked(self) -> int:
        """Count what the laptop has asked of the bucket so far."""
        return len(self.proxy.seen)

    def copies(self) -> list[Path]:
        """List what it has kept."""
        return sorted((self.home / "black_boxes").glob("*"))

    def names(self) -> list[str]:
        """List the objects of the bucket."""
        if isinstance(self.server, SupabaseStorage):
            return list(self.server.objects)
        found = self.server.client().list_objects_v2(Bucket=self.bucket)
        return [each["Key"] for each in found.get("Contents", ())]

    def content(self) -> bytes:
        """Read the one object that the bucket holds."""
        [key] = self.names()
        if isinstance(self.server, SupabaseStorage):
            return self.server.objects[key].body
        answer = self.server.client().get_object(Bucket=self.bucket, Key=key)
        content: bytes = answer["Body"].read()
        return content

    def put(self, content: bytes) -> None:
        """Put something else in the place of the one object that the bucket holds."""
        [key] = self.names()
        if isinstance(self.server, SupabaseStorage):
            self.server.objects[key] = Kept(body=content, type="application/octet-stream")
        else:
            self.server.client().put_object(Bucket=self.bucket, Key=key, Body=content)

    def remove(self) -> None:
        """Remove the one object that the bucket holds."""
        [key] = self.names()
        if isinstance(self.server, SupabaseStorage):
            del self.server.objects[key]
        else:
            self.server.client().delete_object(Bucket=self.bucket, Key=key)

    def open_to_all(self) -> None:
        """Let everybody read what the bucket holds."""
        if isinstance(self.server, SupabaseStorage):
            self.server.public = True
            return
        [key] = self.names()
        self.server.client().put_object_acl(Bucket=self.bucket, Key=key, ACL="public-read")

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return str(self.options["storage"]).split("/")[2]


@contextmanager
def laptop_of_s3(server: S3Server, bucket: str, path: Path) -> Iterator[Laptop]:
    """Make a bucket of the S3 server, with a worker and a laptop."""
    server.client().create_bucket(Bucket=bucket)
    with UnreliableProxy(server.url) as proxy:
        options: dict[str, object] = {
            "storage": f"s3://{bucket}/fleet",
            "s3_endpoint_url": proxy.url,
            "s3_region": "us-east-1",
            "s3_access_key_id": KEY_ID,
            "s3_secret_access_key": SECRET,
        }
        yield from _laptop(server, proxy, options, path)


@contextmanager
def laptop_of_supabase(path: Path) -> Iterator[Laptop]:
    """Make a bucket of Supabase Storage, with a worker and a laptop."""
    with SupabaseStorage() as server, UnreliableProxy(server.url) as proxy:
        options: dict[str, object] = {
            "storage": "supabase://outputs/fleet",
            "supabase_url": proxy.url,
            "supabase_secret_key": SECRET_KEY,
        }
        yield from _laptop(server, proxy, options, path)


def _laptop(
    server: S3Server | SupabaseStorage,
    proxy: UnreliableProxy,
    options: dict[str, object],
    path: Path,
) -> Iterator[Laptop]:
    bench = Bench(path / "worker")
    home = path / "laptop"
    yield Laptop(home=home, bench=bench, server=server, proxy=proxy, options=options)
    bench.store.close()


def record(settings: Settings, claim: Claim) -> None:
    """Record an attempt that raises, as a worker's task process does."""
    task_id, attempt = str(claim.task.id), claim.task.attempts
    about: dict[str, Any] = {"task_id": task_id, "attempt": attempt, "task_type": "t2v"}
    own = {names.TASK_ID: task_id, names.TASK_ATTEMPT: attempt}
    context = claim.task.process_context
    trace_id = bytes.fromhex(trace_id_of(context) or "")
    span_id = bytes.fromhex(span_id_of(context) or "")
    recorder = Recorder.open(settings.spool_dir, role="task")
    with (
        contextlib.suppress(AttributeError),
        recorder.task(**about, worker_id="gpu-1", trace_id=trace_id),
        recorder.span(names.process("t2v"), own, trace_id=trace_id, span_id=span_id),
        recorder.stage("parameters"),
    ):
        raise AttributeError(FAILURE.message)
    recorder.close()
