"""A home whose workers upload into a bucket, through a proxy that holds uploads back when told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from telemetry.journal import process_directories, read_index
from telemetry.journal.index import IndexEntry
from tests.acceptance.home import Home, Worker, home_at, wait_for
from tests.servers.proxy import UnreliableProxy
from tests.servers.s3 import KEY_ID, SECRET, S3Server


class Gate:
    """Holds uploads back, from the first request that sends a file on, until it is opened."""

    def __init__(self) -> None:
        self._held: dict[str, threading.Event] = {}
        self.reached: set[str] = set()

    def hold(self, task_id: UUID) -> None:
        """Hold back what a task's attempts send from now on."""
        self._held[str(task_id)] = threading.Event()

    def open(self, task_id: UUID) -> None:
        """Let it go on."""
        self._held[str(task_id)].set()

    def open_all(self) -> None:
        """Let everything go on."""
        for event in self._held.values():
            event.set()

    def pass_through(self, method: str, path: str) -> None:
        """Let a request through, or wait."""
        for task_id, event in self._held.items():
            if method == "PUT" and f".attempts/{task_id}/" in path:
                self.reached.add(task_id)
                event.wait(60)


class Harbour:
    """A home, its bucket, and the gate before that."""

    def __init__(self, home: Home, server: S3Server, bucket: str, proxy: UnreliableProxy) -> None:
        self.home = home
        self.server = server
        self.bucket = bucket
        self.proxy = proxy
        self.gate = Gate()
        proxy.on_request = self.gate.pass_through

    def worker(self, *options: str, until_idle: bool = True) -> Worker:
        """Start a worker that hears soon of what becomes of its tasks."""
        hurried = ("--set", "cancel_check_s=0.2", "--set", "poll_s=0.2", "--set", "heartbeat_s=1")
        return self.home.worker(*hurried, *options, until_idle=until_idle)

    def held(self, task_id: UUID) -> None:
        """Wait until the upload of a task is held back."""
        wait_for(lambda: str(task_id) in self.gate.reached, "upload", 120)

    def ended(self, task_id: UUID) -> IndexEntry | None:
        """Return the newest attempt at a task that a task process is through with, if one is."""
        entries = [
            entry
            for directory in process_directories(self.home.path / "spool")
            if "-task-" in directory.name
            for entry in read_index(directory)
            if entry.task_id == str(task_id) and entry.last is not None
        ]
        return entries[-1] if entries else None

    def published(self, task_id: UUID) -> list[str]:
        """Return the names of what others find of a task."""
        return [key for key in self.objects() if key.startswith(f"fleet/{task_id}/")]

    def objects(self) -> list[str]:
        """Return the names of all objects."""
        found = self.server.client().list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return [each["Key"] for each in found]


@contextmanager
def harbour_at(path: Path, server: S3Server) -> Iterator[Harbour]:
    """Give a home with an empty bucket of a server's; whatever runs in it is ended at the end."""
    bucket = f"outputs-{uuid4()}"
    server.client().create_bucket(Bucket=bucket)
    with UnreliableProxy(server.url) as proxy, home_at(path) as home:
        home.environment |= {
            "LOOP26_STORAGE": f"s3://{bucket}/fleet",
            "AWS_ENDPOINT_URL_S3": proxy.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        harbour = Harbour(home, server, bucket, proxy)
        try:
            yield harbour
        finally:
            harbour.gate.open_all()
