"""A machine without the record of a failure reads its black box out of the bucket."""

import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from telemetry.reports.case import Case
from telemetry.reports.investigate import investigate
from telemetry.reports.sources import blackbox
from tests.servers.loopback import Loopback
from tests.servers.proxy import REFUSED, SILENT, TORN, Fault
from tests.servers.s3 import SECRET, S3Server
from tests.worker.output.supabase_storage import SECRET_KEY, SupabaseStorage
from worker.casework import gather
from worker.casework.fetched_boxes import FetchedBoxes
from worker.casework.fetched_copies import keep_copy
from worker.errors import Fenced

from .laptop import Laptop, laptop_of_s3, laptop_of_supabase, record

WORKER = {"supabase_publishable_key": "sb_publishable", "worker_token": "w0rker"}
WORTHLESS = {
    "empty": b"",
    "a page": b"<html>sign in</html>",
    "cut": blackbox.MAGIC,
    "garbled": blackbox.MAGIC + b"\x00\x01" + b"x" * 60,
}


@pytest.fixture(params=["s3", "supabase"])
def laptop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laptop]:
    """Have a laptop without records, for each protocol."""
    if request.param == "supabase":
        with laptop_of_supabase(tmp_path) as laptop:
            yield laptop
        return
    bucket = f"boxes-{abs(hash(request.node.name)) % 10**12}"
    with laptop_of_s3(request.getfixturevalue("s3_server"), bucket, tmp_path) as laptop:
        yield laptop


def untold(case: Case) -> str:
    """Return the one thing that a case without a record says is lacking, which is one line."""
    assert case.model is None
    [said] = case.unknown
    assert said.startswith("The black box of this attempt ")
    assert "\n" not in said
    assert SECRET not in said
    assert SECRET_KEY not in said
    return said


# What is found.


def test_a_laptop_finds_what_the_worker_finds(laptop: Laptop) -> None:
    """Of the whole record."""
    task_id = laptop.failed()
    there, here = investigate(laptop.bench.case(task_id)), investigate(laptop.case(task_id))
    assert here.failure == there.failure
    assert here.stages == there.stages
    assert here.completeness.complete


def test_the_report_says_where_the_record_is_from(laptop: Laptop) -> None:
    """And does not tell the name in the bucket, by which whoever reads it could read the box."""
    case = laptop.case(laptop.failed())
    [copy] = laptop.copies()
    [name] = laptop.names()
    place = f"{laptop.options['storage']}/{case.task.id}/"
    assert case.source.endswith(f", and the black box fetched from {place} to {copy}")
    assert name.rpartition("-")[2].removesuffix(".blackbox") not in case.source
    assert case.unknown == []


def test_a_copy_is_for_its_owner_alone(laptop: Laptop) -> None:
    """It holds parameters and locals."""
    laptop.case(laptop.failed())
    [copy] = laptop.copies()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (copy, copy.parent)]
    assert modes == [0o600, 0o700]


def test_a_copy_that_is_as_the_bucket_has_it_is_not_sent_again(laptop: Laptop) -> None:
    """The bucket is asked whether it is."""
    task_id = laptop.failed()
    laptop.case(task_id)
    [copy] = laptop.copies()
    before = copy.stat().st_ino
    asked = laptop.asked()
    assert laptop.case(task_id).model is not None
    assert laptop.asked() == asked + 1
    assert copy.stat().st_ino == before


def test_a_black_box_that_has_changed_is_fetched_again(laptop: Laptop) -> None:
    """A worker that comes back may know more."""
    task_id = laptop.failed()
    laptop.case(task_id)
    other = laptop.bench.home / "other"
    blackbox.write(laptop.bench.case(task_id), other, written_ns=1)
    laptop.put(other.read_bytes())
    laptop.case(task_id)
    [copy] = laptop.copies()
    assert copy.read_bytes() == other.read_bytes()


def test_a_copy_that_was_altered_is_fetched_again(laptop: Laptop) -> None:
    """Its checksum says so."""
    task_id = laptop.failed()
    laptop.case(task_id)
    [copy] = laptop.copies()
    copy.write_bytes(copy.read_bytes()[:-1])
    assert laptop.case(task_id).unknown == []
    assert copy.read_bytes() == laptop.content()


def test_a_public_bucket_is_read_without_a_key(laptop: Laptop) -> None:
    """By the name, which the queue tells and nothing else does."""
    task_id = laptop.failed()
    if isinstance(laptop.server, SupabaseStorage):
        keys: dict[str, object] = {"supabase_secret_key": None, **WORKER}
    else:
        keys = dict.fromkeys(("s3_access_key_id", "s3_secret_access_key"))
    laptop.told = {**keys, "output_urls": "public"}
    laptop.open_to_all()
    assert laptop.case(task_id).model is not None
    laptop.remove()
    (laptop.copies()[0]).unlink()
    assert "has no such file" in untold(laptop.case(task_id))


def test_a_relative_that_failed_too_is_found_with_its_own_record(laptop: Laptop) -> None:
    """The queue was told of its failure, and its worker has sent its black box."""
    laptop.bench.journey()
    settings = laptop.bench.settings = laptop.worker_settings
    first, second = (laptop.bench.claim(span_id=digits * 8) for digits in ("b1", "b2"))
    record(settings, second)
    laptop.bench.fail(first)
    with pytest.raises(Fenced):
        laptop.bench.fail(second)
    laptop.send(second.task.id)
    case = laptop.case(second.task.id)
    assert case.task.id == str(second.task.id)
    assert investigate(case).completeness.complete


# What is not asked for.


def test_nothing_is_asked_where_the_record_is(laptop: Laptop) -> None:
    """On the worker's own machine."""
    task_id = laptop.failed()
    store, settings, asked = laptop.bench.store, laptop.bench.settings, laptop.asked()
    case = gather(settings, store, store.get(task_id), fetch=FetchedBoxes(settings, wait_s=60))
    assert case.model is not None
    assert laptop.asked() == asked


def test_nothing_is_asked_of_a_task_that_has_not_failed(laptop: Laptop) -> None:
    """None is kept of it."""
    waits = laptop.bench.insert()
    runs = laptop.bench.claim().task.id
    assert waits == runs
    assert laptop.case(runs).unknown == []
    assert laptop.asked() == 0


def test_nothing_is_asked_of_a_task_that_nobody_has_claimed(laptop: Laptop) -> None:
    """Another application has set it to Failed."""
    task_id = laptop.bench.insert()
    laptop.bench.write(task_id, status="Failed", error_message="no")
    assert laptop.case(task_id).unknown == []
    assert laptop.asked() == 0


def test_a_relative_that_only_fell_is_not_asked_for(laptop: Laptop) -> None:
    """Whichever id is given, one black box is fetched: that of the task that failed."""
    _, (first, second, _) = laptop.bench.journey()
    laptop.bench.fail(laptop.bench.claim())
    claimed = laptop.case(second)
    assert claimed.task.id == str(first)
    assert [method for method, _ in laptop.proxy.seen] == ["GET"]


def test_who_wants_nothing_fetched_is_asked_nothing(laptop: Laptop) -> None:
    """By a setting, which the report names."""
    task_id = laptop.failed()
    laptop.told, asked = {"fetch_black_boxes": False}, laptop.asked()
    assert "cannot be fetched: fetch_black_boxes is false" in untold(laptop.case(task_id))
    assert laptop.asked() == asked


def test_a_copy_is_used_where_nothing_is_to_be_fetched(laptop: Laptop) -> None:
    """It is here."""
    task_id = laptop.failed()
    laptop.case(task_id)
    laptop.told, asked = {"fetch_black_boxes": False}, laptop.asked()
    assert laptop.case(task_id).model is not None
    assert laptop.asked() == asked


def test_a_laptop_of_a_shared_queue_is_told_what_to_set(laptop: Laptop) -> None:
    """Where it does not know where outputs go."""
    task_id = laptop.failed()
    laptop.told = {
        "storage": None,
        "supabase_url": "https://abc.supabase.co",
        "supabase_secret_key": "s",
    }
    assert "set LOOP26_STORAGE and its key as on the workers" in untold(laptop.case(task_id))


# What cannot be had: the report is made, and says why in one line.


def test_one_that_is_not_there_is_said_with_what_that_means(laptop: Laptop) -> None:
    """And with the way out."""
    task_id = laptop.failed()
    laptop.remove()
    said = untold(laptop.case(task_id))
    assert "has no such file; its worker keeps none (black_boxes), or has not sent it" in said
    assert f"If its worker's home has outputs/{task_id}/failure.blackbox, copy that" in said


def test_a_key_that_may_not_read_it_is_said(laptop: Laptop) -> None:
    """Without the key."""
    task_id = laptop.failed()
    laptop.proxy.faults = [Fault(403, times=10**6)]
    said = untold(laptop.case(task_id))
    assert "403" in said
    assert "the key may not do this" in said


def test_a_workers_token_reads_no_bucket_of_supabase(tmp_path: Path) -> None:
    """Which is said with what does."""
    with laptop_of_supabase(tmp_path) as laptop:
        task_id, asked = laptop.failed(), laptop.asked()
        laptop.told = {"supabase_secret_key": None, **WORKER}
        assert "set SUPABASE_SECRET_KEY" in untold(laptop.case(task_id))
        assert laptop.asked() == asked


def test_a_machine_without_a_key_of_s3_is_told_so(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has no role of its own either."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with laptop_of_s3(s3_server, "boxes-without-key", tmp_path) as laptop:
        task_id = laptop.failed()
        laptop.told = dict.fromkeys(("s3_access_key_id", "s3_secret_access_key"))
        assert "there is no key; set AWS_ACCESS_KEY_ID" in untold(laptop.case(task_id))


@pytest.mark.parametrize("kind", WORTHLESS)
def test_what_is_no_black_box_is_said_and_not_kept(laptop: Laptop, kind: str) -> None:
    """Whoever may write into the bucket has put it there."""
    task_id = laptop.failed()
    laptop.put(WORTHLESS[kind])
    said = untold(laptop.case(task_id))
    assert f"what {laptop.options['storage']} has under its name is " in said
    assert laptop.copies() == []


def test_a_torn_one_is_said_and_not_kept(laptop: Laptop) -> None:
    """By its length and checksum."""
    task_id = laptop.failed()
    laptop.put(laptop.content()[:-9])
    assert "is damaged: it ends after" in untold(laptop.case(task_id))
    assert laptop.copies() == []


def test_an_answer_that_is_torn_is_said(laptop: Laptop) -> None:
    """A connection that breaks in the middle."""
    task_id = laptop.failed()
    laptop.proxy.faults = [Fault(TORN, times=10**6)]
    untold(laptop.case(task_id))
    assert laptop.copies() == []


def test_a_huge_one_is_not_read_to_its_end(laptop: Laptop) -> None:
    """No black box is so large."""
    task_id = laptop.failed()
    if isinstance(laptop.server, SupabaseStorage):
        laptop.server.max_bytes = 10**9
    laptop.put(laptop.content() + bytes(blackbox.MOST_FILE_BYTES))
    said = untold(laptop.case(task_id))
    assert f"the file has more than {blackbox.MOST_FILE_BYTES:,} bytes" in said
    assert laptop.copies() == []


def test_that_of_another_task_is_not_taken_for_it(laptop: Laptop) -> None:
    """What has its name says of itself what it is of."""
    other = laptop.failed()
    content = laptop.content()
    laptop.remove()
    task_id = laptop.failed()
    laptop.put(content)
    assert other != task_id
    assert "is of another" in untold(laptop.case(task_id))


def test_that_of_another_task_takes_no_copys_place(laptop: Laptop) -> None:
    """The copy is there when the bucket is away, or mended."""
    laptop.failed()
    content = laptop.content()
    laptop.remove()
    task_id = laptop.failed()
    laptop.case(task_id)
    [copy] = laptop.copies()
    kept = copy.read_bytes()
    laptop.put(content)
    assert "is of another" in untold(laptop.case(task_id))
    assert [path.read_bytes() for path in laptop.copies()] == [kept]


@pytest.mark.parametrize("how", [REFUSED, 503, 302])
def test_a_bucket_in_trouble_is_said(laptop: Laptop, how: str | int) -> None:
    """The report is made without it; no redirection is followed."""
    task_id = laptop.failed()
    if isinstance(how, int):
        laptop.proxy.faults = [Fault(how, times=10**6)]
    else:
        laptop.proxy.away = how
    assert "cannot be fetched: " in untold(laptop.case(task_id))


def test_a_bucket_that_never_answers_is_not_waited_for(laptop: Laptop) -> None:
    """For longer than a report may take."""
    task_id = laptop.failed()
    laptop.proxy.away, laptop.wait_s = SILENT, 0.5
    untold(laptop.case(task_id))


def test_a_copy_is_used_where_the_bucket_is_away(laptop: Laptop) -> None:
    """And it is said that it may be old."""
    task_id = laptop.failed()
    laptop.case(task_id)
    laptop.proxy.away = REFUSED
    case = laptop.case(task_id)
    assert case.model is not None
    [said] = case.unknown
    assert said.startswith("The black box is a copy that was fetched before, and may be old: ")


class _Dripping(BaseHTTPRequestHandler):
    """Answers a byte at a time, and never ends."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer until nobody listens."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        ended: threading.Event = vars(self.server)["ended"]
        while not ended.wait(0.05):
            try:
                self.wfile.write(b"x")
            except OSError:
                return


def test_an_answer_that_never_ends_is_not_waited_for(laptop: Laptop) -> None:
    """However often another byte comes, as each would begin another wait."""
    task_id = laptop.failed()
    ended = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Dripping)
    vars(server)["ended"] = ended
    with Loopback(server) as dripping:
        key = "supabase_url" if "supabase_url" in laptop.options else "s3_endpoint_url"
        laptop.told, laptop.wait_s = {key: dripping.url}, 0.5
        assert "gave no answer within 0.5 s" in untold(laptop.case(task_id))
        ended.set()


def test_old_copies_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many failures a laptop looks at."""
    with laptop_of_supabase(tmp_path) as laptop:
        laptop.failed()
        content = laptop.content()
    monkeypatch.setattr("worker.casework.fetched_copies.MOST_BYTES", len(content))
    paths = [tmp_path / "copies" / f"{number}.blackbox" for number in range(3)]
    for path in paths:
        keep_copy(content, path, lambda _case: True)
    assert [path.exists() for path in paths] == [False, False, True]
