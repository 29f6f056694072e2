"""A command line on a laptop, of a failure that another machine has recorded."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.worker.casework.laptop import Laptop, laptop_of_s3

from .conftest import Run

WHOLE = "no record is missing"


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run moto's server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def laptop(
    request: pytest.FixtureRequest,
    s3_server: S3Server,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Laptop]:
    """Have a worker, and its bucket's settings in the laptop's environment."""
    bucket = f"boxes-{abs(hash(request.node.name)) % 10**12}"
    with laptop_of_s3(s3_server, bucket, tmp_path) as laptop:
        laptop.home = home
        monkeypatch.setenv("LOOP26_STORAGE", str(laptop.options["storage"]))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", laptop.proxy.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        # So long a report may take for people; a machine that runs tests may be slower.
        monkeypatch.setattr("worker.casework.fetched_boxes.WAIT_S", 60.0)
        yield laptop


def failed(laptop: Laptop) -> str:
    """Have the worker's newest task fail, and the laptop see the queue as it is then."""
    task_id = laptop.failed()
    assert laptop.settings.home.is_dir()
    with (
        closing(sqlite3.connect(laptop.bench.settings.queue_path)) as there,
        closing(sqlite3.connect(laptop.home / "queue.db")) as here,
    ):
        there.backup(here)
    return str(task_id)


def test_each_form_of_the_report_has_the_record_and_where_it_is_from(
    run: Run, laptop: Laptop, tmp_path: Path
) -> None:
    """As on the worker's machine."""
    task_id, page = failed(laptop), tmp_path / "page.html"
    written = [run("investigate", task_id, *form).out for form in ([], ["--markdown"], ["--json"])]
    run("investigate", task_id, "--html", str(page))
    for text in (*written, page.read_text()):
        words = " ".join(text.split())
        assert "the black box fetched from" in words
        assert WHOLE in words
        assert SECRET not in text
    assert json.loads(written[2])["completeness"]["complete"]


def test_without_it_the_report_is_whole_and_says_so(run: Run, laptop: Laptop) -> None:
    """Exit code 0: what the queue knows was told."""
    task_id = failed(laptop)
    laptop.remove()
    result = run("investigate", task_id)
    assert (result.code, result.err) == (0, "")
    words = " ".join(result.out.split())
    assert "not known from there: The black box of this attempt cannot be fetched" in words
    assert "AttributeError: 'NoneType' object has no attribute 'get'" in words


def test_nothing_is_fetched_where_the_command_line_says_so(run: Run, laptop: Laptop) -> None:
    """As for a network that one pays for."""
    task_id, asked = failed(laptop), laptop.asked()
    result = run("--set", "fetch_black_boxes=false", "investigate", task_id)
    assert "fetch_black_boxes is false" in " ".join(result.out.split())
    assert laptop.asked() == asked


def test_two_failures_are_compared_by_their_records(run: Run, laptop: Laptop) -> None:
    """Both of another machine."""
    tasks = [failed(laptop) for _ in range(2)]
    found = json.loads(run("compare", *tasks, "--json").out)
    text = json.dumps(found)
    assert text.count("the black box fetched from") == 2


def test_a_replay_has_what_was_recorded(run: Run, laptop: Laptop) -> None:
    """It is asked for before the replay begins, which itself is offline."""
    task_id, asked = failed(laptop), laptop.asked()
    run("replay", task_id, "--json")
    assert laptop.asked() == asked + 1
    assert len(laptop.copies()) == 1
