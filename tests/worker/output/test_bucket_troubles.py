"""A bucket in trouble, a worker that is killed or superseded: nothing is lost or overwritten."""

import logging
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from telemetry.recorder import Recorder
from tests.servers.proxy import CUT_BEFORE, LOST, SPOILED, Fault
from tests.servers.s3 import KEY_ID, SECRET
from tests.worker.output.conftest import TASK, TOKEN, Rig
from tests.worker.output.supabase_storage import SECRET_KEY
from worker.errors import Fenced, OutputError, QueueUnavailable
from worker.output.bucket import StorageRefused, StorageUnavailable

UPLOAD = {"s3": "PUT", "supabase": "POST"}
# A worker that publishes what the test has written.
PUBLISHER = f"""
import sys
from pathlib import Path
from worker.settings.configuration import load
from worker.settings.storing import open_storage
from worker.output.storage import LocalStorage
from uuid import UUID
home, address, url = sys.argv[1:]
keys = {{"s3_access_key_id": {KEY_ID!r}, "s3_secret_access_key": {SECRET!r}}}
given = {{**keys, "s3_endpoint_url": url, "s3_region": "us-east-1"}}
if address.startswith("supabase"):
    given = {{"supabase_url": url, "supabase_secret_key": {SECRET_KEY!r}}}
storage = open_storage(load({{"home": home, "storage": address, **given}}).settings)
folder = storage.local.folder(UUID(int=1), UUID(int=2))
names = ("video.mp4", "thumbnail.jpg", "request.json")
storage.publish(UUID(int=1), UUID(int=2), [folder / name for name in names])
"""


def read(url: str) -> bytes:
    """Fetch an address as anybody may."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http, ours
        content: bytes = answer.read()
    return content


def test_publishing_goes_on_where_another_process_was_killed(
    kind: str, rig: Rig, tmp_path: Path
) -> None:
    """By SIGKILL, with all sent, one of three files published, and the next on its way."""
    files = rig.attempt()
    child = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(tmp_path), str(rig.storage.place), rig.proxy.url]
    )
    visible = []

    def kill(method: str, path: str) -> None:
        copied = "/object/copy" in path or (method == "PUT" and ".attempts" not in path)
        visible.append(path) if copied else None
        if len(visible) == 2:
            child.kill()

    rig.proxy.on_request = kill
    assert child.wait(60) == -9
    rig.proxy.on_request = lambda _method, _path: None
    assert len(rig.objects()) in {4, 5}
    sent = rig.proxy.count(UPLOAD[kind], ".attempts")
    rig.storage.publish(TASK, TOKEN, files)
    assert rig.proxy.count(UPLOAD[kind], ".attempts") == sent
    assert rig.objects() == rig.published()


def test_who_is_superseded_meanwhile_publishes_nothing(rig: Rig) -> None:
    """The claim is held once more when all is sent, before any of it is visible."""
    held = []

    def hold() -> None:
        held.append(rig.objects())
        if len(held[-1]) == 3:
            raise Fenced(TOKEN, "swept")

    with pytest.raises(Fenced):
        rig.storage.publish(TASK, TOKEN, rig.attempt(), hold)
    assert all(".attempts" in key for key in rig.objects())


def test_what_a_superseded_attempt_sent_is_discarded(rig: Rig) -> None:
    """With its local folder."""

    def hold() -> None:
        if rig.objects():
            raise Fenced(TOKEN, "swept")

    files = rig.attempt()
    with pytest.raises(Fenced):
        rig.storage.publish(TASK, TOKEN, files, hold)
    rig.storage.discard(TASK, TOKEN)
    assert rig.objects() == {}
    assert not files[0].parent.exists()


def test_whoever_publishes_in_vain_clears_up_after_itself(rig: Rig) -> None:
    """So that the discard, which others may wait for, asks nothing of a bucket that may be away."""

    def hold() -> None:
        if rig.objects():
            raise Fenced(TOKEN, "swept")

    with pytest.raises(Fenced):
        rig.storage.publish(TASK, TOKEN, rig.attempt(), hold)
    assert rig.objects() == {}
    asked = len(rig.proxy.seen)
    rig.storage.discard(TASK, TOKEN)
    assert len(rig.proxy.seen) == asked


def test_a_claim_is_held_as_long_as_files_are_on_their_way(kind: str, rig: Rig) -> None:
    """From a thread of its own, every `beat_s`."""
    beats: list[int] = []
    third = threading.Event()

    def hold() -> None:
        beats.append(1)
        if len(beats) == 3:
            third.set()

    rig.proxy.on_request = lambda method, path: (
        third.wait(10) if (method, ".attempts" in path) == (UPLOAD[kind], True) else None
    )
    rig.storage.publish(TASK, TOKEN, rig.attempt()[:1], hold)
    assert third.is_set()


def test_a_queue_that_is_away_while_files_are_sent_ends_nothing(rig: Rig) -> None:
    """Until the last word, which must be heard."""
    with pytest.raises(QueueUnavailable):
        rig.storage.publish(TASK, TOKEN, rig.attempt(), _away)
    assert len(rig.objects()) == 3
    assert all(".attempts" in key for key in rig.objects())


def _away() -> None:
    raise QueueUnavailable("away")


@pytest.mark.parametrize("fate", [503, 500, 429, CUT_BEFORE, LOST])
@pytest.mark.parametrize("step", ["upload", "copy", "remove"])
def test_trouble_that_passes_is_asked_through(
    kind: str, rig: Rig, step: str, fate: int | str
) -> None:
    """Twice: a status, a cut connection, an answer that is lost after the change was made."""
    at = {
        ("s3", "upload"): ("PUT", ".attempts"),
        ("s3", "copy"): ("PUT", f"/fleet/{TASK}/video.mp4"),
        ("s3", "remove"): ("DELETE", ".attempts"),
        ("supabase", "upload"): ("POST", ".attempts"),
        ("supabase", "copy"): ("POST", "/object/copy"),
        ("supabase", "remove"): ("DELETE", "/object/outputs"),
    }
    method, path = at[kind, step]
    rig.proxy.faults = [Fault(fate, method, path, times=2)]
    (location,) = rig.storage.publish(TASK, TOKEN, rig.attempt()[:1])
    assert rig.proxy.faults[0].times == 0
    assert read(location) == b"new video.mp4"
    assert list(rig.objects()) == [f"fleet/{TASK}/video.mp4"]


def test_pauses_grow_and_end(rig: Rig) -> None:
    """It says that trying again may help: the task is queued again, and not failed."""
    rig.proxy.faults = [Fault(503, times=10**6)]
    with pytest.raises(StorageUnavailable, match=r"answered 503.*cannot do it now") as caught:
        rig.storage.publish(TASK, TOKEN, rig.attempt())
    assert caught.value.retryable
    assert sum(rig.naps) <= 20
    assert rig.naps[-1] > 2 * rig.naps[0]


def test_other_bytes_than_were_sent_are_sent_again(kind: str, rig: Rig) -> None:
    """Of the same size; found by the checksum."""
    rig.proxy.faults = [Fault(SPOILED, UPLOAD[kind], ".attempts")]
    rig.storage.publish(TASK, TOKEN, rig.attempt()[:1])
    assert rig.objects() == {f"fleet/{TASK}/video.mp4": b"new video.mp4"}


def test_what_its_etag_does_not_prove_is_read_back(rig: Rig) -> None:
    """As with encryption by a key of one's own, or an upload in parts of another size."""
    if hasattr(rig.server, "etags"):
        rig.server.etags = False
    else:
        stored = rig.storage.bucket.stored
        rig.storage.bucket.stored = lambda key: (  # type: ignore[method-assign]  # a server's answer
            replace(found, etag="0123-7") if (found := stored(key)) else None
        )
    rig.storage.publish(TASK, TOKEN, rig.attempt()[:1])
    assert rig.objects() == {f"fleet/{TASK}/video.mp4": b"new video.mp4"}
    assert rig.proxy.count("GET", "video.mp4") >= 2


def test_a_missing_file_leaves_all_unpublished(rig: Rig) -> None:
    """All are read before any is sent."""
    files = rig.attempt()
    files[2].unlink()
    with pytest.raises(OutputError, match=r"request.json' cannot be read"):
        rig.storage.publish(TASK, TOKEN, files)
    assert rig.objects() == {}


def test_a_bucket_that_cannot_be_swept_is_left(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """The worker starts all the same."""
    rig.proxy.faults = [Fault(503)]
    rig.storage.sweep_stale()
    assert "stays there" in caplog.text


def test_a_wrong_place_is_refused_at_once_in_one_line(rig: Rig) -> None:
    """No such bucket: the check at the start says the way out."""
    place = replace(rig.storage.place, bucket="no-such-bucket")
    vars(rig.storage.bucket)["_bucket"] = place.bucket
    with pytest.raises(StorageRefused, match="no such bucket; make it") as caught:
        replace(rig.storage, place=place).check()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 78
    assert rig.naps == []


def test_no_secret_is_in_an_error_or_a_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Nor in what stands behind the error."""
    caplog.set_level(logging.INFO)
    rig.proxy.faults = [Fault(503), Fault(403, times=100)]
    with pytest.raises(OutputError) as caught:
        rig.storage.publish(TASK, TOKEN, rig.attempt())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert rig.secret not in f"{caught.value}{caplog.text}{rig.storage!r}"


def test_no_secret_is_in_the_record_of_an_error(rig: Rig, tmp_path: Path) -> None:
    """Which holds the locals of every frame, the storage's own among them."""
    recorder = Recorder.open(tmp_path / "spool", role="supervisor")
    rig.proxy.faults = [Fault(403, times=100)]
    try:
        rig.storage.publish(TASK, TOKEN, rig.attempt())
    except OutputError as error:
        recorder.error(error)
    recorder.close()
    record = b"".join(
        path.read_bytes() for path in (tmp_path / "spool").rglob("*") if path.is_file()
    )
    assert b"the key may not do this" in record
    assert rig.secret.encode() not in record
