"""Bad input and faults: one line names the value and the way out; the queue stays usable."""

import json
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.acceptance.home import Home
from worker.task import TaskStatus


def a_task(**params: Any) -> dict[str, Any]:
    """Make the payload of the smallest generation there is."""
    return {
        "task_type": "i2v",
        "params": {
            "model_name": "tiny_i2v",
            "prompt": "a clock that ticks",
            "image_start": "https://pictures.example/never-fetched.png",
            "resolution": "32x32",
            "video_length": 5,
            "num_inference_steps": 2,
            "seed": 1,
            **params,
        },
    }


def assert_refused(home: Home, payload: str, *words: str) -> None:
    """See that a payload is refused in one line with these words, and that nothing came in."""
    done = home.run("enqueue", "-", stdin=payload)
    assert done.returncode not in (0, 70)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]
    with closing(home.store()) as store:
        assert store.list_tasks() == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("{no json", ["is no JSON"]),
        (json.dumps({"task_type": "t3v", "params": {}}), ["'t3v'", "travel_orchestrator"]),
        (json.dumps(a_task(model_name="tiny_i3v")), ["'tiny_i3v'", "'tiny_i2v'"]),
        (json.dumps(a_task(model_name="")), ["''"]),
        (json.dumps(a_task(image_start="/not/there.png")), ["'/not/there.png'"]),
        (json.dumps(a_task(video_length=-1)), ["video_length", "-1"]),
        (json.dumps({"task_type": "i2v"}), ["params"]),
    ],
)
def test_a_bad_payload_is_refused_by_name(home: Home, payload: str, words: list[str]) -> None:
    """Nothing of it enters the queue, and the value is in the line."""
    assert_refused(home, payload, *words)


def test_one_bad_task_keeps_all_of_them_out(home: Home) -> None:
    """A file is taken whole or not at all."""
    good = a_task(image_start=home.pictures(1)[0])
    assert_refused(home, json.dumps([good, a_task(model_name="nope")]), "task 2", "'nope'")


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda home: home.joinpath("queue.db").write_text("no database " * 100), ["queue.db"]),
        (lambda home: home.joinpath("version").write_text("99"), ["99", "newer"]),
        (lambda home: _foreign_database(home / "queue.db"), ["queue.db", "another application"]),
    ],
    ids=["no SQLite", "newer home", "foreign database"],
)
def test_a_home_that_is_none_of_ours_is_refused(home: Home, prepare: Any, words: list[str]) -> None:
    """Configuration is wrong: exit code 78, one line, and nothing in it is touched."""
    prepare(home.path)
    before = {path: path.read_bytes() for path in home.path.iterdir() if path.is_file()}
    done = home.run("run", "--until-idle")
    assert done.returncode == 78, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words)
    assert {path: path.read_bytes() for path in before} == before


def test_an_unusable_home_is_refused(tmp_path: Path) -> None:
    """A home that cannot be made is named, with the way out."""
    (tmp_path / "file").write_text("")
    done = Home(tmp_path / "file" / "home").run("tasks")
    assert done.returncode == 78
    assert "--home" in done.stderr
    assert len(done.stderr.splitlines()) == 1


class NotFound(BaseHTTPRequestHandler):
    """A server that has nothing."""

    def do_GET(self) -> None:
        """Answer 404."""
        self.send_error(404)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_what_cannot_be_known_at_the_start_fails_its_task_alone(home: Home) -> None:
    """A picture that is none, a 404: each fails by name; the task after them is done."""
    broken = home.path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    server = ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/picture.png"
    ids = home.enqueue(
        a_task(image_start=str(broken)),
        a_task(image_start=url),
        a_task(image_start=home.pictures(1)[0]),
    )
    home.work_until_idle("--set", "private_addresses=true")
    server.shutdown()
    server.server_close()
    no_picture, not_found, good = (home.task(task_id) for task_id in ids)
    assert str(broken) in (no_picture.error_message or "")
    assert "404" in (not_found.error_message or "")
    for failed in (no_picture, not_found):
        assert failed.status is TaskStatus.FAILED
        assert (failed.error or {})["stage"] == "inputs"
    assert good.status is TaskStatus.COMPLETE


def test_a_missing_device_ends_the_worker_by_its_exit_code(home: Home) -> None:
    """Exit code 80, the device by name, and the task stays queued for who has one."""
    (task_id,) = home.enqueue(a_task(image_start=home.pictures(1)[0]))
    worker = home.worker("--set", "device=cuda:7")
    assert worker.process.wait(timeout=120) == 80
    assert "cuda:7" in str(worker.lines()[-1])
    assert home.task(task_id).status is TaskStatus.QUEUED


def _foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table invoices (id integer)")
    connection.close()
