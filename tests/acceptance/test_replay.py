"""A recorded task runs again in a fresh process, to the same failure, or what differs is said."""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from uuid import UUID

import pytest

from tests.acceptance.home import LOOP26, PATIENCE_S, Home, a_quick_task, home_at, wait_for
from tests.acceptance.injection import STAGES, inject
from worker.replay.remembered import FOLDER
from worker.task import TaskStatus

PROMPT = b"(Pdb) "
FAULTS = ("none-from-engine", "swallowed", "segfault", "exit", "hang")
PLAIN = FAULTS[0]


def replayed(home: Home, task: object, *options: str, code: int = 0) -> dict[str, Any]:
    """Replay a task; return what is found, as JSON."""
    done = home.run("replay", str(task), "--json", *options)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def contents(home: Home, *parts: str) -> dict[str, str]:
    """Return the hash of each file of some parts of a home, by its path."""
    files = [
        path
        for part in parts
        for path in [home.path / part, *(home.path / part).rglob("*")]
        if path.is_file()
    ]
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


def left(home: Home) -> list[str]:
    """Return what replays have left that is no answer."""
    return [path.name for path in (home.path / FOLDER).iterdir() if path.suffix != ".json"]


def pollution(home: Home, task: object) -> str:
    """Return what an investigation of a task says of the engine's state."""
    found = json.loads(home.run("investigate", str(task), "--json").stdout)
    (verdict,) = [
        one["verdict"] for one in found["hypotheses"] if one["name"] == "engine state pollution"
    ]
    return str(verdict)


@dataclass(slots=True)
class Recorded:
    """A home in which tasks were done, and their ids by what became of them."""

    home: Home
    tasks: dict[str, str]
    address: str = ""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; yield its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Give a home in which tasks of the tiny models went well, failed and died."""
    with home_at(tmp_path_factory.mktemp("tiny")) as home:
        broken = home.path / "broken.safetensors"
        broken.write_bytes(b"no tensors at all")
        picture = Path(home.pictures(1)[0])
        with served(picture.parent) as address:
            url = f"{address}/{picture.name}?token=planted-secret"
            with_picture = {**a_quick_task(), "task_type": "i2v"}
            with_picture["params"] |= {"model_name": "tiny_i2v", "image": url}
            names = ("well", "picture", "journey", "abort", "sigkill")
            given = (a_quick_task(), with_picture, home.journey(), a_quick_task(), a_quick_task())
            tasks = dict(zip(names, home.enqueue(*given), strict=True))
            tasks["payload"] = home.insert(model_name="")
            tasks["input"] = home.insert(activated_loras=[str(broken)], loras_multipliers="1.0")
            inject(home, STAGES["generate"], "abort", task=tasks["abort"])
            inject(home, STAGES["parameters"], "sigkill", task=tasks["sigkill"])
            home.work_until_idle("--set", "max_deaths=1", "--set", "private_addresses=true")
        assert home.task(tasks["picture"]).status is TaskStatus.COMPLETE
        yield Recorded(home, {name: str(task) for name, task in tasks.items()}, address)


@pytest.fixture(scope="module")
def drills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Give the home of drills in which every fault that the tests need has happened."""
    with home_at(tmp_path_factory.mktemp("drills")) as home:
        found = Recorded(Home(home.path / "drill"), {})
        found.home.environment = home.environment
        for fault in (*FAULTS, "incident"):
            done = home.run("drill", fault)
            assert done.returncode == 0, done.stdout + done.stderr
            listed = json.loads(found.home.run("tasks", "--json").stdout)
            found.tasks[fault] = listed[0]["id"]
        (journey,) = [one for one in listed if one["task_type"] == "travel_orchestrator"]
        found.tasks["journey"] = journey["id"]
        yield found


def test_a_failure_of_the_payload_is_the_same_in_a_fresh_process(tiny: Recorded) -> None:
    """By its fingerprint, its type and its line."""
    found = replayed(tiny.home, tiny.tasks["payload"])
    assert found["verdict"] == "the same failure"
    assert found["recorded"] == found["replayed"]
    assert found["replayed"]["location"]["function"] == "Catalog.get"
    assert found["differences"] == []


def test_a_failure_of_an_input_comes_after_the_recorded_defaults(tiny: Recorded) -> None:
    """All 32 of them, and it decides what an investigation could not."""
    task = tiny.tasks["input"]
    shutil.rmtree(tiny.home.path / FOLDER, ignore_errors=True)
    assert pollution(tiny.home, task) == "not decidable"
    found = replayed(tiny.home, task)
    assert found["verdict"] == "the same failure"
    assert found["defaults"]["says"].startswith("the recorded ones, 32 of 32")
    assert found["defaults"]["digest_now"] == found["defaults"]["digest_then"] != ""
    assert pollution(tiny.home, task) == "ruled out"


def test_queue_outputs_and_journals_are_as_before(tiny: Recorded) -> None:
    """Byte by byte, and nothing is left behind."""
    parts = ("queue.db", "outputs", "spool", "cache")
    before = contents(tiny.home, *parts)
    found = replayed(tiny.home, tiny.tasks["well"])
    assert found["says"].startswith("it did not fail then, and does not now: ")
    assert contents(tiny.home, *parts) == before
    assert left(tiny.home) == []


def test_a_death_that_does_not_come_again_is_one_of_its_process(tiny: Recorded) -> None:
    """The fault was in the first process, and in no other."""
    task = tiny.tasks["abort"]
    found = replayed(tiny.home, task, code=1)
    assert found["verdict"] == "it did not fail"
    assert found["recorded"]["type"] == "abort"
    assert found["conclusive"]
    assert pollution(tiny.home, task) == "confirmed"


def test_a_kill_from_outside_says_nothing_of_its_process(tiny: Recorded) -> None:
    """Whoever killed it then does not now; that a part of the defaults is recorded is enough."""
    task = tiny.tasks["sigkill"]
    found = replayed(tiny.home, task, code=1)
    assert found["verdict"] == "it did not fail"
    assert found["defaults"]["exact"]
    assert found["means"].endswith("sigkill came from outside of the process")
    assert pollution(tiny.home, task) == "not decidable"


def test_inputs_come_from_the_cache_and_what_is_gone_from_it_is_named(tiny: Recorded) -> None:
    """The server is not asked, and is not even there."""
    found = replayed(tiny.home, tiny.tasks["picture"])
    assert [one["why_not"] for one in found["inputs"]] == [""]
    shutil.rmtree(tiny.home.path / "cache")
    found = replayed(tiny.home, tiny.tasks["picture"], code=1)
    assert found["verdict"] == "cannot be replayed"
    assert found["missing"] == [f"picture '{tiny.address}/0.png?…' is not kept in the cache"]
    assert "planted-secret" not in json.dumps(found)


def test_an_orchestrator_plans_again_and_spawns_nothing(tiny: Recorded) -> None:
    """Its children are as many as before; its stitch joins their videos again."""
    before = contents(tiny.home, "queue.db", "outputs")
    found = replayed(tiny.home, tiny.tasks["journey"])
    assert found["type"] == "travel_orchestrator"
    assert found["as_recorded"]
    stitch = tiny.home.children(UUID(tiny.tasks["journey"]))[-1]
    assert replayed(tiny.home, stitch.id)["as_recorded"]
    assert contents(tiny.home, "queue.db", "outputs") == before


def test_a_row_without_a_record_is_replayed_by_what_it_kept(tiny: Recorded) -> None:
    """Its journal is gone; its parameters and its fingerprint are not."""
    spool = tiny.home.path / "spool"
    spool.rename(spool.with_name("elsewhere"))
    try:
        found = replayed(tiny.home, tiny.tasks["input"])
    finally:
        shutil.rmtree(spool)
        spool.with_name("elsewhere").rename(spool)
    assert found["verdict"] == "the same failure"
    assert found["record"] == "nothing is recorded of it but its row"
    assert found["defaults"]["says"] == "the engine's own; none are recorded"


def test_a_task_that_never_ran_is_said_to_be_one(home: Home) -> None:
    """In one line."""
    (task,) = home.enqueue(a_quick_task())
    done = home.run("replay", str(task))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"loop26: task {task} (Queued) never ran, so there is nothing to replay\n"


def test_an_unknown_id_is_said_to_be_one(home: Home) -> None:
    """In one line."""
    done = home.run("replay", "0123")
    assert done.returncode == 1
    assert done.stderr.startswith("loop26: no task has the id '0123'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_drills_fault_comes_again(drills: Recorded, fault: str) -> None:
    """An exception, a death or a hang: at its line, in its own limit of time."""
    found = replayed(drills.home, drills.tasks[fault])
    assert found["verdict"] == "the same failure"
    assert found["recorded"] == found["replayed"]
    assert pollution(drills.home, drills.tasks[fault]) == "ruled out"


def test_the_incident_comes_again_from_its_orchestrators_id(drills: Recorded) -> None:
    """With its model name that somebody had stripped."""
    found = replayed(drills.home, drills.tasks["journey"])
    assert found["asked"] == drills.tasks["journey"] != found["task"]
    assert found["verdict"] == "the same failure"
    assert found["replayed"]["expression"] == "model_def"


def test_where_a_record_ends_is_not_compared(drills: Recorded) -> None:
    """Of the incident's second segment the tail is cut: how far it got is not known."""
    found = replayed(drills.home, drills.tasks["incident"])
    assert found["verdict"] == "the same failure"
    assert found["record"].startswith("incomplete: its tail is missing")
    assert found["differences"] == []


def test_a_black_box_is_replayed_in_another_home(drills: Recorded, tmp_path: Path) -> None:
    """Where there is no queue."""
    task = drills.tasks[PLAIN]
    box = shutil.copy(drills.home.path / "outputs" / task / "failure.blackbox", tmp_path)
    elsewhere = Home(tmp_path / "elsewhere")
    found = replayed(elsewhere, box)
    assert found["task"] == task
    assert found["verdict"] == "the same failure"
    assert found["altered"] == []
    assert not (elsewhere.path / "queue.db").exists()


def test_a_person_reads_it_without_colours_in_a_pipe(drills: Recorded) -> None:
    """The verdict comes first."""
    task = drills.tasks[PLAIN]
    lines = drills.home.run("replay", task).stdout.splitlines()
    assert lines[0] == f"the same failure: task {task} (t2v, attempt 1)"
    assert "sampler was None" in lines[4]
    assert not any("\x1b" in line for line in lines)
    assert all(len(line) <= 100 for line in lines)


class Terminal:
    """A command of loop26 in a terminal of its own, and what it shows."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self._file, theirs = os.openpty()
        # A session of its own, with this terminal: else a Ctrl-C is a letter like any other.
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", LOOP26, "--home", str(home.path), *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**home.environment, "TERM": "dumb"},
        )
        os.close(theirs)
        self.shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up, and end what has not ended by itself."""
        os.close(self._file)
        self._process.kill()
        self._process.wait(timeout=PATIENCE_S)

    def until(self, text: bytes, times: int = 1) -> None:
        """Read until a text has been shown so many times."""
        deadline = time.monotonic() + PATIENCE_S
        while self.shown.count(text) < times and self._read(deadline):
            pass
        assert self.shown.count(text) >= times, self.shown.decode()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._file, keys)

    def end(self) -> int:
        """Read to its end; return its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        return self._process.wait(timeout=PATIENCE_S)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._file], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, self.shown.decode()
        try:
            read = os.read(self._file, 65536)
        except OSError:  # as Linux tells of a terminal that nobody writes to any more
            return False
        self.shown += read
        return bool(read)


def test_the_debugger_stops_at_the_line_that_fails(drills: Recorded) -> None:
    """With its locals; a Ctrl-C ends what is typed, and nothing else."""
    with Terminal(drills.home, "replay", drills.tasks[PLAIN], "--pdb") as terminal:
        terminal.until(PROMPT)
        assert b"faults.py(50)none_from_engine()" in terminal.shown
        terminal.type(b"p planted\n")
        terminal.until(PROMPT, 2)
        assert b"'a value that must be seen'" in terminal.shown
        terminal.type(b"\x03")
        terminal.until(PROMPT, 3)
        terminal.type(b"q\n")
        assert terminal.end() == 0
        assert b"the same failure" in terminal.shown
    assert left(drills.home) == []


def running(home: Home) -> Path:
    """Wait until a replay's process journals; return the journal."""

    def found() -> Path | None:
        stacks = (home.path / FOLDER).glob(".run-*/spool/*-task-*/stacks.txt")
        return next(stacks, None)

    stacks: Path = wait_for(found, "journal of a replay")
    return stacks.parent


def is_alive(pid: int) -> bool:
    """Whether a process is there, and is no corpse that its new parent has yet to bury."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_replay_that_is_interrupted_leaves_nothing(
    drills: Recorded, number: signal.Signals, code: int
) -> None:
    """Neither a process nor a file."""
    home, task = drills.home, drills.tasks["hang"]
    command = [LOOP26, "--home", str(home.path), "replay", task, "--timeout", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as replay:
        try:
            pid = int(running(home).name.split("-")[2])
            assert is_alive(pid)
            replay.send_signal(number)
            replay.communicate(timeout=PATIENCE_S)
        finally:
            replay.kill()
    assert replay.returncode == code
    assert not is_alive(pid)
    assert left(home) == []


def test_the_fresh_process_waits_for_cuda_when_asked_and_knows_no_secret(drills: Recorded) -> None:
    """Its environment is that of a task process, and one variable."""
    home, task = drills.home, drills.tasks["hang"]
    command = [LOOP26, "--home", str(home.path), "replay", task, "--timeout", "0", "--blocking"]
    environment = {**home.environment, "SUPABASE_SERVICE_ROLE_KEY": "planted"}
    with subprocess.Popen(command, env=environment) as replay:
        try:
            pid = int(running(home).name.split("-")[2])
            told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        finally:
            replay.send_signal(signal.SIGTERM)
    assert b"CUDA_LAUNCH_BLOCKING=1" in told
    assert not any(b"planted" in each for each in told)


def test_what_is_kept_is_the_replays_folder(drills: Recorded) -> None:
    """With its journal."""
    kept = Path(replayed(drills.home, drills.tasks[PLAIN], "--keep")["kept"])
    assert list((kept / "spool").glob("*-task-*/000001.journal"))
    assert left(drills.home) == [kept.name]
    shutil.rmtree(kept)


def test_the_debugger_and_json_exclude_each_other(home: Home) -> None:
    """One is for people, the other for programs."""
    done = home.run("replay", "0123", "--pdb", "--json")
    assert done.returncode == 2
    assert "--pdb is for people" in done.stderr
