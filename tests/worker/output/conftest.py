"""Buckets to keep outputs in: a real S3 server's, and Supabase Storage's as far as it can be had.

Before each stands a proxy that can spoil what goes through it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from tests.servers.proxy import UnreliableProxy
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.worker.output.supabase_storage import SECRET_KEY, SupabaseStorage
from worker.output.bucket import Bucket
from worker.output.bucket_storage import BucketStorage, Links
from worker.output.place import Place
from worker.output.s3_bucket import S3Access, S3Bucket
from worker.output.storage import LocalStorage
from worker.output.supabase_bucket import SupabaseBucket
from worker.patience import Patience

TASK, TOKEN, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


@dataclass(slots=True, kw_only=True)
class Rig:
    """A storage under test, and the server behind it."""

    storage: BucketStorage
    proxy: UnreliableProxy
    server: S3Server | SupabaseStorage
    secret: str
    naps: list[float] = field(default_factory=list)

    def objects(self) -> dict[str, bytes]:
        """Read all that the bucket holds, past the proxy."""
        if isinstance(self.server, SupabaseStorage):
            return {key: kept.body for key, kept in self.server.objects.items()}
        client, bucket = self.server.client(), self.storage.place.bucket
        found = client.list_objects_v2(Bucket=bucket).get("Contents", ())
        keys = [each["Key"] for each in found]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def type_of(self, key: str) -> str:
        """Return an object's content type."""
        if isinstance(self.server, SupabaseStorage):
            return self.server.objects[key].type
        head = self.server.client().head_object(Bucket=self.storage.place.bucket, Key=key)
        return str(head["ContentType"])

    def attempt(self, token: UUID = TOKEN, text: str = "new") -> list[Path]:
        """Write an attempt's files."""
        folder = self.storage.attempt_dir(TASK, token)
        for name in ("video.mp4", "thumbnail.jpg", "request.json"):
            (folder / name).write_text(f"{text} {name}")
        return [folder / "video.mp4", folder / "thumbnail.jpg", folder / "request.json"]

    def published(self, text: str = "new") -> dict[str, bytes]:
        """What the bucket holds when an attempt is published and nothing else."""
        names = ("video.mp4", "thumbnail.jpg", "request.json")
        return {f"fleet/{TASK}/{name}": f"{text} {name}".encode() for name in names}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run moto's server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["s3", "supabase"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name the protocol."""
    return str(request.param)


@pytest.fixture
def rig(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Make an empty bucket, the proxy before it, and a storage that uses it."""
    if kind == "supabase":
        with SupabaseStorage() as server, UnreliableProxy(server.url) as proxy:
            place = Place(scheme="supabase", bucket="outputs", prefix="fleet")
            bucket = SupabaseBucket(place, proxy.url, SecretStr(SECRET_KEY))
            yield from assembled(bucket, place, proxy, server, tmp_path, SECRET_KEY)
        return
    server = request.getfixturevalue("s3_server")
    name = f"outputs-{abs(hash(request.node.name)) % 10**12}"
    server.client().create_bucket(Bucket=name)
    with UnreliableProxy(server.url) as proxy:
        place = Place(scheme="s3", bucket=name, prefix="fleet")
        bucket = s3_bucket(place, proxy.url)
        yield from assembled(bucket, place, proxy, server, tmp_path, SECRET)


def s3_bucket(place: Place, url: str, key_id: str = KEY_ID, secret: str = SECRET) -> S3Bucket:
    """Make the bucket of an S3 server."""
    access = S3Access(
        endpoint_url=url, region="us-east-1", key_id=SecretStr(key_id), secret=SecretStr(secret)
    )
    return S3Bucket(place, access)


def assembled(
    bucket: Bucket,
    place: Place,
    proxy: UnreliableProxy,
    server: S3Server | SupabaseStorage,
    path: Path,
    secret: str,
) -> Iterator[Rig]:
    """Put a rig together; its patience is of a clock that goes as far as it naps."""
    naps: list[float] = []
    storage = BucketStorage(
        local=LocalStorage(path / "outputs"),
        bucket=bucket,
        place=place,
        links=Links(),
        patience=patience(20.0, naps.append, naps),
        beat_s=0.01,
    )
    yield Rig(storage=storage, proxy=proxy, server=server, secret=secret, naps=naps)
    storage.close()


def patience(seconds: float, sleep: Callable[[float], None], naps: list[float]) -> Patience:
    """Make a patience that takes no time: each look at its clock is a hundredth of a second."""
    looks = iter(range(10**9))
    return Patience(seconds, clock=lambda: sum(naps) + next(looks) / 100, sleep=sleep)
