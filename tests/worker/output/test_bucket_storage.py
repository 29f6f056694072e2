"""Outputs in a bucket: sent under the attempt's name, seen to be whole, then published."""

import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.worker.output.conftest import OTHER, TASK, TOKEN, Rig
from worker.errors import OutputError, QueueUnavailable
from worker.output.bucket_storage import Links

UPLOAD = {"s3": "PUT", "supabase": "POST"}


def read(url: str) -> bytes:
    """Fetch an address as anybody may."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http, ours
        content: bytes = answer.read()
    return content


def test_published_files_lie_under_the_task_and_nothing_else_is_left(rig: Rig) -> None:
    """At `<prefix>/<task id>/<file>`."""
    rig.storage.publish(TASK, TOKEN, rig.attempt())
    assert rig.objects() == rig.published()


def test_locations_are_signed_addresses_that_anybody_can_read(rig: Rig) -> None:
    """In the order of the files; the bucket is private."""
    video, thumbnail, _ = rig.storage.publish(TASK, TOKEN, rig.attempt())
    assert f"/fleet/{TASK}/video.mp4?" in video
    assert (read(video), read(thumbnail)) == (b"new video.mp4", b"new thumbnail.jpg")


def test_public_locations_hold_no_signature(rig: Rig) -> None:
    """A domain before the bucket takes the place of its own address."""
    storage = replace(rig.storage, links=Links(public=True, base="https://media.example.org/"))
    (video,) = storage.publish(TASK, TOKEN, rig.attempt()[:1])
    assert video == f"https://media.example.org/fleet/{TASK}/video.mp4"


def test_the_type_of_each_file_is_said(rig: Rig) -> None:
    """A browser plays a video and does not save it."""
    rig.storage.publish(TASK, TOKEN, rig.attempt())
    types = [rig.type_of(key) for key in rig.published()]
    assert types == ["video/mp4", "image/jpeg", "application/json"]


def test_an_earlier_attempts_files_are_replaced(rig: Rig) -> None:
    """Whole files, by copy."""
    rig.storage.publish(TASK, OTHER, rig.attempt(OTHER, "old"))
    rig.storage.publish(TASK, TOKEN, rig.attempt())
    assert rig.objects() == rig.published()


def test_publishing_again_sends_nothing_again(kind: str, rig: Rig) -> None:
    """The queue may be away between publishing and settling."""
    files = rig.attempt()
    rig.storage.publish(TASK, TOKEN, files)
    sent = rig.proxy.count(UPLOAD[kind], ".attempts")
    rig.storage.publish(TASK, TOKEN, files)
    assert rig.proxy.count(UPLOAD[kind], ".attempts") == sent
    assert rig.objects() == rig.published()


def test_the_tasks_output_is_published_last(rig: Rig) -> None:
    """Where it is, the others are; those are published at once."""
    seen: list[list[str]] = []

    def look() -> None:
        seen.append(sorted(key for key in rig.objects() if ".attempts" not in key))

    rig.proxy.on_request = lambda method, path: (
        look() if "copy" in path or (method, ".attempts" in path) == ("PUT", False) else None
    )
    rig.storage.publish(TASK, TOKEN, rig.attempt())
    names = [[key.rpartition("/")[2] for key in keys] for keys in seen]
    assert len(names) == 3
    assert names[-1] == ["request.json", "thumbnail.jpg"]
    assert not any("video.mp4" in before for before in names)


def test_a_file_of_another_folder_is_not_published(rig: Rig, tmp_path: Path) -> None:
    """It could be anything on this machine."""
    (tmp_path / "secret").write_text("s")
    with pytest.raises(OutputError, match="no file of the attempt's folder"):
        rig.storage.publish(TASK, TOKEN, [tmp_path / "secret"])


def test_a_kept_file_lies_beside_the_outputs(rig: Rig, tmp_path: Path) -> None:
    """As a black box does, under the name that it is given."""
    (tmp_path / "failure.blackbox").write_bytes(b"box")
    rig.storage.keep(TASK, tmp_path / "failure.blackbox", "failure-1.blackbox")
    assert rig.objects() == {f"fleet/{TASK}/failure-1.blackbox": b"box"}
    assert rig.type_of(f"fleet/{TASK}/failure-1.blackbox") == "application/octet-stream"


def test_a_check_leaves_nothing(rig: Rig) -> None:
    """And has nothing to say of a bucket that may be listed."""
    assert rig.storage.check() == []
    assert rig.objects() == {}


def test_only_old_attempts_that_nobody_holds_are_swept(rig: Rig) -> None:
    """Of the bucket too; published ones stay."""
    files = rig.attempt()
    for token in (TOKEN, OTHER):
        with pytest.raises(QueueUnavailable):
            rig.storage.publish(TASK, token, rig.attempt(token)[:1], _away)
    rig.storage.publish(TASK, TOKEN, files[1:2])
    later = datetime.now(UTC) + timedelta(days=2)
    rig.storage.sweep_stale(live=[OTHER], now=datetime.now(UTC).timestamp())
    assert len(rig.objects()) == 3
    rig.storage.sweep_stale(live=[OTHER], now=later.timestamp())
    assert sorted(rig.objects()) == [
        f"fleet/.attempts/{TASK}/{OTHER}/video.mp4",
        f"fleet/{TASK}/thumbnail.jpg",
    ]


def test_an_expired_address_of_the_own_bucket_is_signed_anew(rig: Rig) -> None:
    """By whoever reads a segment days later, as a stitch does."""
    (location, *_) = rig.storage.publish(TASK, TOKEN, rig.attempt())
    expired = f"{location.partition('?')[0]}?token=expired"
    assert read(rig.storage.readable(TASK, expired)) == b"new video.mp4"


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.example.org/fleet/{task}/video.mp4",
        "{base}/fleet/{other}/video.mp4",
        "{base}/fleet/{task}/../{other}/video.mp4",
        "{base}/fleet/{task}/%2e%2e/{other}/video.mp4",
        "{base}/fleet/.attempts/{task}/video.mp4",
        "{base}-2/fleet/{task}/video.mp4",
        "/home/outputs/{task}/video.mp4",
        "http://[",
        "{base}",
    ],
)
def test_nothing_is_signed_but_that_tasks_own_output(rig: Rig, location: str) -> None:
    """A row could name any object, and get it read by the worker's key."""
    base = rig.storage.bucket.public_base()
    named = location.format(base=base, task=TASK, other=OTHER)
    assert rig.storage.readable(TASK, named) == named


def _away() -> None:
    raise QueueUnavailable("away")
