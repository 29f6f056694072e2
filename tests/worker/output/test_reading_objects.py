"""Objects that are not large are read whole, with a key, and of a public bucket without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.proxy import CUT_BEFORE, Fault
from tests.worker.output.conftest import TASK, Rig
from tests.worker.output.supabase_storage import SupabaseStorage
from worker.output.bucket import (
    Content,
    ObjectMissing,
    ObjectTooLarge,
    Reader,
    StorageRefused,
    StorageUnavailable,
)
from worker.output.public_bucket import PublicBucket

KEY, BODY = f"fleet/{TASK}/a name.bin", b"whole"
MOST_BYTES = 100


@pytest.fixture
def sent(rig: Rig, tmp_path: Path) -> Content:
    """Have the bucket hold an object, which everybody may read."""
    path = tmp_path / "a name.bin"
    path.write_bytes(BODY)
    content = Content.of(path)
    rig.storage.bucket.put(KEY, content)
    if isinstance(rig.server, SupabaseStorage):
        rig.server.public = True
    else:
        asked = {"Bucket": rig.storage.place.bucket, "Key": KEY, "ACL": "public-read"}
        rig.server.client().put_object_acl(**asked)
    return content


@pytest.fixture(params=["key", "public"])
def reader(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Read with the key, or as anybody does."""
    if request.param == "key":
        yield rig.storage.bucket
        return
    reader = PublicBucket(rig.storage.bucket.public_base(), answer_s=60.0)
    yield reader
    reader.close()


def test_an_object_is_read_whole(reader: Reader, sent: Content) -> None:
    """Up to the last byte that may be."""
    assert reader.read(KEY, sent.size) == BODY


def test_an_object_that_is_known_is_not_sent_again(reader: Reader, sent: Content) -> None:
    """Another is."""
    assert reader.read(KEY, MOST_BYTES, sent.likely_etag) is None
    assert reader.read(KEY, MOST_BYTES, "0" * 32) == BODY


def test_an_object_that_is_too_large_is_refused(reader: Reader, sent: Content) -> None:
    """By one byte."""
    with pytest.raises(ObjectTooLarge, match="more than 4 bytes"):
        reader.read(KEY, sent.size - 1)


@pytest.mark.usefixtures("sent")
def test_an_object_that_is_not_there_is_told_from_other_trouble(reader: Reader) -> None:
    """It will not be there the next time."""
    with pytest.raises(ObjectMissing, match="has no such file"):
        reader.read(f"{KEY}.other", MOST_BYTES)


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("fate", [503, 429, CUT_BEFORE])
def test_trouble_that_may_pass_is_told_as_such(reader: Reader, rig: Rig, fate: int | str) -> None:
    """Asking again may help."""
    rig.proxy.faults = [Fault(fate, times=10**6)]
    with pytest.raises(StorageUnavailable):
        reader.read(KEY, MOST_BYTES)


@pytest.mark.usefixtures("sent")
def test_a_key_that_may_not_read_is_told_so(rig: Rig) -> None:
    """Without the key, also in what led to it."""
    rig.proxy.faults = [Fault(403, times=10**6)]
    with pytest.raises(StorageRefused, match="the key may not do this") as caught:
        rig.storage.bucket.read(KEY, MOST_BYTES)
    assert caught.value.__context__ is None
    assert rig.secret not in str(caught.value)


def test_an_address_that_is_none_is_refused() -> None:
    """As it is in the settings."""
    reader = PublicBucket("ftp://outputs.example.org", answer_s=1.0)
    with pytest.raises(StorageRefused, match="no address that can be asked"):
        reader.read(KEY, MOST_BYTES)
    reader.close()
