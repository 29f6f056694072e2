"""Stand-in checkouts of each generation, called by their functions or by their session."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.standins.checkouts import Kind, make_checkout

from .conftest import TRACE

REPOSITORY = Path(__file__).parents[4]
DEADLINE_S = 120
Came: TypeAlias = dict[str, Any]
# The generation, and what it is called by; the newer one may be called by its functions too.
WAYS: Mapping[str, tuple[Kind, str]] = {
    "generate_video": ("functions", "functions"),
    "generate_media": ("media_functions", "functions"),
    "session": ("session", "session"),
}
CALLS: Mapping[str, dict[str, Any]] = {
    "well": {},
    "again": {},
    "reported": {"fault": "vae-decode"},
    "told later": {"fault": "told-only"},
    "escapes": {"fault": "none-at-frames"},
    "exits": {"fault": "system-exit"},
    "refused": {"fault": "validation"},
    "no file": {"fault": "no-file"},
    "cancelled": {"cancel_at": 6},
    "after the cancel": {},
    "leaves an abort": {"fault": "leaves-abort-flag"},
    "after the abort": {},
    "told to stop before": {"leave": "abort"},
    "leaves a thread": {"fault": "leaves-thread"},
    "changes the directory": {"fault": "changes-directory"},
    "leaves stdout": {"fault": "leaves-stdout"},
}


@pytest.fixture(scope="module", params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """Give one way of calling a checkout after the other."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def answer(way: str, tmp_path_factory: pytest.TempPathFactory) -> Came:
    """Make all calls in one process; return what came of them."""
    kind, api = WAYS[way]
    folder = tmp_path_factory.mktemp(kind)
    checkout = make_checkout(kind, folder / "checkout")
    written = folder / "answer.json"
    module = "tests.worker.engines.wan2gp.calling"
    done = subprocess.run(
        [
            *(sys.executable, "-m", module, str(checkout.root), api),
            *(json.dumps(list(CALLS.values())), str(written)),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Came = json.loads(written.read_text())
    return {**found, "stdout": done.stdout, "folder": str(folder)}


@pytest.fixture(scope="module")
def came(answer: Came) -> dict[str, Came]:
    """Return what came of each call."""
    return dict(zip(CALLS, answer["calls"], strict=True))


def test_its_entry_is_found_by_looking(way: str, answer: Came) -> None:
    """With the parameters that it has."""
    about = answer["about"]
    entry = "generate_video" if way == "generate_video" else "generate_media"
    assert (about["name"], about["entry"]) == (way, entry)
    assert about["taken"] == (107 if way == "generate_video" else 118)


def test_its_videos_are_written_where_it_is_told(answer: Came) -> None:
    """Whatever its own configuration says."""
    videos = Path(answer["folder"]) / "videos"
    assert answer["about"]["config"] == str(videos)
    assert list(videos.glob("*.mp4"))


@pytest.mark.parametrize("call", ["well", "again"])
def test_a_video_is_made(came: dict[str, Came], call: str) -> None:
    """Each step is told on."""
    found = came[call]
    assert (found["files"], found["escaped"], found["failed"]) == ([True], None, "")
    assert found["steps"] == [[1, 3], [2, 3], [3, 3]]
    assert (found["reported"], found["left"], found["leftover"]) == ([], [], False)


def test_what_it_is_given_arrives(answer: Came) -> None:
    """In its own terms; the last call has written it down."""
    last = json.loads((Path(answer["folder"]) / "videos" / "last_call.json").read_text())
    assert last["image_start"] == "image 64x48"
    assert (last["resolution"], last["video_length"], last["seed"]) == ("64x48", 9, 5)
    assert (last["num_inference_steps"], last["flow_shift"]) == (3, 5.0)
    assert last["switch_threshold"] == 826.0999755859375


def test_what_it_reports_keeps_its_exception(came: dict[str, Came], answer: Came) -> None:
    """Wherever it was made a text."""
    [[text, exception]] = came["reported"]["reported"]
    assert exception == "ValueError"
    assert text.startswith("The generation of the video has ended")
    number = str(list(CALLS).index("reported"))
    assert ["ValueError", "generate", number] in answer["errors"]


def test_a_text_without_an_exception_is_one(came: dict[str, Came]) -> None:
    """As it was told."""
    assert came["told later"]["reported"] == [["The video is not worth keeping", None]]


@pytest.mark.parametrize(
    ("call", "exception"), [("escapes", "AttributeError"), ("exits", "SystemExit")]
)
def test_what_escapes_its_entry_is_kept(
    came: dict[str, Came], answer: Came, call: str, exception: str
) -> None:
    """Though a session makes a text of it."""
    assert came[call]["escaped"] == exception
    number = str(list(CALLS).index(call))
    assert [exception, "generate", number] in answer["errors"]


def test_what_it_refuses_is_said_where_it_says_so(way: str, came: dict[str, Came]) -> None:
    """A session has the part in which it was; before its entry is called nobody hears anything."""
    found = came["refused"]
    if way == "session":
        assert (found["failed"], found["stage"]) == ("Invalid resolution", "validation")
        assert not found["heard"]
    else:
        assert (found["failed"], found["reported"], found["heard"]) == ("", [], True)
    assert found["files"] == []


def test_a_file_that_is_not_there_is_not_named(came: dict[str, Came]) -> None:
    """Though all is said to be well."""
    found = came["no file"]
    assert (found["files"], found["failed"], found["escaped"]) == ([], "", None)


def test_a_cancel_stops_it(came: dict[str, Came]) -> None:
    """Within its steps, and without a video."""
    found = came["cancelled"]
    assert found["cancelled"]
    assert found["files"] == []
    assert len(found["steps"]) < 3


def test_what_asked_it_to_stop_is_taken_back(way: str, came: dict[str, Came]) -> None:
    """A session does it itself; the next makes its video."""
    after = came["after the cancel"]
    assert after["leftover"] == (way != "session")
    assert after["files"] == [True]


def test_a_wish_to_stop_that_was_left_is_taken(came: dict[str, Came]) -> None:
    """And said: it would have ended the next without a word."""
    assert came["leaves an abort"]["files"] == [True]
    for call in ("after the abort", "told to stop before"):
        assert (came[call]["leftover"], came[call]["files"]) == (True, [True])


def test_threads_that_go_on_are_named(way: str, came: dict[str, Came]) -> None:
    """Its own: those of a session end with the job."""
    del way
    assert came["leaves a thread"]["left"] == ["a thread: pinned-upload"]


def test_its_directory_is_put_back(came: dict[str, Came]) -> None:
    """And said."""
    [text] = came["changes the directory"]["left"]
    assert text.startswith("working directory: ")


def test_the_streams_are_put_back(came: dict[str, Came], answer: Came) -> None:
    """Whatever it has done to them; what it printed is in the record, and nowhere else."""
    assert all(found["streams"] for found in came.values())
    assert answer["stdout"] == ""
    assert any("New video saved" in line for line in answer["printed"])


def test_all_of_it_is_the_tasks(answer: Came) -> None:
    """Whatever thread it worked in."""
    assert answer["traces"] == [TRACE.hex()]
    assert len(answer["spans"]) >= 3 * 8
