"""A recorded task runs again in a fresh process, to the same failure, or what differs is said."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from uuid import UUID

import pytest

from tests.acceptance.home import LOOP26, PATIENCE_S, Home, a_quick_task, home_at, wait_for
from tests.acceptance.injection import STAGES, Point, inject
from worker.drill.planted import marked, planted
from worker.drill.running import OVERRIDES
from worker.engines.drill import faults
from worker.engines.drill.models import SOUND, model_of
from worker.replay.remembered import FOLDER
from worker.task import NewTask, TaskStatus

PROMPT = b"(Pdb) "
FAULTS = ("none-from-engine", "swallowed", "segfault", "exit", "hang")
PLAIN = FAULTS[0]
REPORTED = "swallowed, reported"  # the line that passes on, after another that was swallowed


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


# A worker of the drill's engine, which needs no torch; no setting names it.
WORK = """
import json, sys
from worker.drill.incident import incident
from worker.drill.planted import HANG_AFTER_S
from worker.drill.running import work
from worker.settings.configuration import load
settings = load({"home": sys.argv[1], "max_deaths": 1}).settings
work(settings, print, hang_after_s=HANG_AFTER_S)
found = incident(settings, print)
print(json.dumps({"journey": str(found.orchestrator), "incident": str(found.second.task.id)}))
"""
# Where that engine is in the middle of its steps.
STEP = Point(module="worker.engines.drill.steps", function="_denoised", call=2)


def broken_lora(home: Home) -> dict[str, Any]:
    """Give a home a file that is no LoRA; return the parameters that name it."""
    broken = home.path / "broken.safetensors"
    broken.write_bytes(b"no tensors at all")
    return {"activated_loras": [str(broken)], "loras_multipliers": "1.0"}


def meeting(fault: str) -> NewTask:
    """Make a task that meets a fault in the middle of its steps, as a drill does."""
    return NewTask(
        task_type="t2v", params={"model_name": model_of(fault), "prompt": "a drill", **OVERRIDES}
    )


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
    """Give a home in which tasks of the tiny models went well and failed; torch is slow to load."""
    with home_at(tmp_path_factory.mktemp("tiny")) as home:
        picture = Path(home.pictures(1)[0])
        task = {**a_quick_task(), "task_type": "i2v"}
        with served(picture.parent) as address:
            url = f"{address}/{picture.name}?token=planted-secret"
            task["params"] |= {"model_name": "tiny_i2v", "image": url}
            tasks = dict(
                zip(("picture", "journey"), home.enqueue(task, home.journey()), strict=True)
            )
            tasks["input"] = home.insert(**broken_lora(home))
            home.work_until_idle("--set", "private_addresses=true")
        yield Recorded(home, {name: str(task) for name, task in tasks.items()}, address)


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Give a home in which tasks of the drill's engine went well, failed, died and hung."""
    with home_at(tmp_path_factory.mktemp("drilled")) as home:
        tasks = {name: home.insert(model_name=SOUND) for name in ("well", "abort", "sigkill")}
        tasks["payload"] = home.insert(model_name="")
        tasks["input"] = home.insert(model_name=SOUND, **broken_lora(home))
        with closing(home.store()) as store:
            tasks |= zip(FAULTS, store.insert([meeting(fault) for fault in FAULTS]), strict=True)
        inject(home, STEP, "abort", task=tasks["abort"])
        inject(home, STAGES["parameters"], "sigkill", task=tasks["sigkill"])
        done = subprocess.run(
            [sys.executable, "-c", WORK, str(home.path)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env=home.environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = {name: str(task) for name, task in tasks.items()}
        yield Recorded(home, told | json.loads(done.stdout.splitlines()[-1]))


def test_a_failure_of_the_payload_is_the_same_in_a_fresh_process(drilled: Recorded) -> None:
    """By its fingerprint, its type and its line."""
    found = replayed(drilled.home, drilled.tasks["payload"])
    assert found["verdict"] == "the same failure"
    assert found["recorded"] == found["replayed"]
    assert found["replayed"]["location"]["function"] == "definition"
    assert found["differences"] == []


def test_a_failure_of_an_input_comes_after_the_recorded_defaults(drilled: Recorded) -> None:
    """All 32 of them, and it decides what an investigation could not."""
    task = drilled.tasks["input"]
    shutil.rmtree(drilled.home.path / FOLDER, ignore_errors=True)
    assert pollution(drilled.home, task) == "not decidable"
    found = replayed(drilled.home, task)
    assert found["verdict"] == "the same failure"
    assert found["defaults"]["says"].startswith("the recorded ones, 32 of 32")
    assert found["defaults"]["digest_now"] == found["defaults"]["digest_then"] != ""
    assert pollution(drilled.home, task) == "ruled out"


def test_queue_outputs_and_journals_are_as_before(drilled: Recorded) -> None:
    """Byte by byte, and nothing is left behind."""
    parts = ("queue.db", "outputs", "spool", "cache")
    before = contents(drilled.home, *parts)
    found = replayed(drilled.home, drilled.tasks["well"])
    assert found["says"].startswith("it did not fail then, and does not now: ")
    assert contents(drilled.home, *parts) == before
    assert left(drilled.home) == []


def test_a_death_that_does_not_come_again_is_one_of_its_process(drilled: Recorded) -> None:
    """The fault was in the first process, and in no other."""
    task = drilled.tasks["abort"]
    found = replayed(drilled.home, task, code=1)
    assert found["verdict"] == "it did not fail"
    assert found["recorded"]["type"] == "abort"
    assert found["conclusive"]
    assert pollution(drilled.home, task) == "confirmed"


def test_a_kill_from_outside_says_nothing_of_its_process(drilled: Recorded) -> None:
    """Whoever killed it then does not now; that a part of the defaults is recorded is enough."""
    task = drilled.tasks["sigkill"]
    found = replayed(drilled.home, task, code=1)
    assert found["verdict"] == "it did not fail"
    assert found["defaults"]["exact"]
    assert found["means"].endswith("sigkill may come from outside of the process")
    assert pollution(drilled.home, task) == "not decidable"


def test_inputs_come_from_the_cache_and_what_is_gone_from_it_is_named(tiny: Recorded) -> None:
    """The server is not asked, and is not even there; the engine is one that computes."""
    found = replayed(tiny.home, tiny.tasks["picture"])
    assert found["says"].startswith("it did not fail then, and does not now: ")
    assert found["defaults"]["says"].startswith("the recorded ones")
    assert [one["why_not"] for one in found["inputs"]] == [""]
    shutil.rmtree(tiny.home.path / "cache")
    found = replayed(tiny.home, tiny.tasks["picture"], code=1)
    assert found["verdict"] == "cannot be replayed"
    assert found["missing"] == [f"picture '{tiny.address}/0.png?…' is not kept in the cache"]
    assert "planted-secret" not in json.dumps(found)


def test_an_input_that_failed_and_is_gone_by_now_shows_nothing(drilled: Recorded) -> None:
    """Both fail in one function, of two causes."""
    broken = drilled.home.path / "broken.safetensors"
    aside = broken.rename(broken.with_suffix(".aside"))
    try:
        found = replayed(drilled.home, drilled.tasks["input"], code=1)
    finally:
        aside.rename(broken)
    assert found["verdict"] == "cannot be replayed"
    assert found["missing"] == [found["replayed"]["message"]]
    assert not found["conclusive"]


def test_an_orchestrator_plans_again_and_spawns_nothing(tiny: Recorded) -> None:
    """Its children are as many as before; its stitch, replayed beside it, joins their videos."""
    before = contents(tiny.home, "queue.db", "outputs")
    stitch = tiny.home.children(UUID(tiny.tasks["journey"]))[-1]
    assert stitch.status is TaskStatus.COMPLETE
    with ThreadPoolExecutor() as both:
        found = list(both.map(partial(replayed, tiny.home), (tiny.tasks["journey"], stitch.id)))
    assert [one["type"] for one in found] == ["travel_orchestrator", "travel_stitch"]
    assert [one["as_recorded"] for one in found] == [True, True]
    assert contents(tiny.home, "queue.db", "outputs") == before


def test_a_row_without_a_record_is_replayed_by_what_it_kept(tiny: Recorded) -> None:
    """Its journal and its black box are gone; its parameters and its fingerprint are not."""
    (tiny.home.path / "outputs" / tiny.tasks["input"] / "failure.blackbox").unlink()
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
    home.store().close()  # which makes the queue
    done = home.run("replay", "0123")
    assert done.returncode == 1
    assert done.stderr.startswith("loop26: no task has the id '0123'")
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def faults_again(drilled: Recorded) -> dict[str, dict[str, Any]]:
    """Give what two replays at a time found of each fault."""
    ids = [drilled.tasks[fault] for fault in FAULTS]
    with ThreadPoolExecutor(2) as two:
        return dict(zip(FAULTS, two.map(partial(replayed, drilled.home), ids), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_drills_fault_comes_again(faults_again: dict[str, dict[str, Any]], fault: str) -> None:
    """An exception, a death or a hang: at its line, in its own limit of time."""
    found = faults_again[fault]
    assert found["verdict"] == "the same failure"
    assert found["recorded"] == found["replayed"]
    place = marked(faults, REPORTED) if fault == "swallowed" else planted(fault).place
    assert found["replayed"]["location"] == asdict(place)
    assert found["conclusive"]


def test_the_incident_comes_again_from_its_orchestrators_id(drilled: Recorded) -> None:
    """With its model name that somebody had stripped."""
    found = replayed(drilled.home, drilled.tasks["journey"])
    assert found["asked"] == drilled.tasks["journey"] != found["task"]
    assert found["verdict"] == "the same failure"
    assert found["replayed"]["expression"] == "model_def"


def test_where_a_record_ends_is_not_compared(drilled: Recorded) -> None:
    """Of the incident's second segment the tail is cut: how far it got is not known."""
    found = replayed(drilled.home, drilled.tasks["incident"])
    assert found["verdict"] == "the same failure"
    assert found["record"].startswith("incomplete: its tail is missing")
    assert found["differences"] == []


def test_a_black_box_is_replayed_in_another_home(drilled: Recorded, tmp_path: Path) -> None:
    """Where there is no queue."""
    task = drilled.tasks[PLAIN]
    box = shutil.copy(drilled.home.path / "outputs" / task / "failure.blackbox", tmp_path)
    elsewhere = Home(tmp_path / "elsewhere")
    found = replayed(elsewhere, box)
    assert found["task"] == task
    assert found["verdict"] == "the same failure"
    assert found["altered"] == []
    assert not (elsewhere.path / "queue.db").exists()


def test_a_person_reads_it_without_colours_in_a_pipe(drilled: Recorded) -> None:
    """The verdict comes first."""
    task = drilled.tasks[PLAIN]
    lines = drilled.home.run("replay", task).stdout.splitlines()
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

    def interrupt_until(self, text: bytes, times: int) -> None:
        """Press Ctrl-C, again each second, until a text has been shown so many times.

        Python hears of one that comes between the prompt and the wait for a key at the next key.
        """
        deadline = time.monotonic() + PATIENCE_S
        while self.shown.count(text) < times:
            assert time.monotonic() < deadline, self.shown.decode()
            self.type(b"\x03")
            heard_by = time.monotonic() + 1
            while self.shown.count(text) < times and self._is_heard(heard_by):
                assert self._read(deadline), self.shown.decode()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._file, keys)

    def end(self) -> int:
        """Read to its end; return its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        return self._process.wait(timeout=PATIENCE_S)

    def _is_heard(self, deadline: float) -> bool:
        left_s = max(0.0, deadline - time.monotonic())
        return bool(select.select([self._file], [], [], left_s)[0])

    def _read(self, deadline: float) -> bool:
        assert self._is_heard(deadline), self.shown.decode()
        try:
            read = os.read(self._file, 65536)
        except OSError:  # as Linux tells of a terminal that nobody writes to any more
            return False
        self.shown += read
        return bool(read)


def test_the_debugger_stops_at_the_line_that_fails(drilled: Recorded) -> None:
    """With its locals; a Ctrl-C ends what is typed, and nothing else."""
    with Terminal(drilled.home, "replay", drilled.tasks[PLAIN], "--pdb") as terminal:
        terminal.until(PROMPT)
        place = planted(PLAIN).place
        shown = f"{place.file}({place.line}){place.function}()"
        assert shown.encode() in terminal.shown
        terminal.type(b"p planted\n")
        terminal.until(PROMPT, 2)
        assert b"'a value that must be seen'" in terminal.shown
        terminal.interrupt_until(PROMPT, 3)
        terminal.type(b"q\n")
        assert terminal.end() == 0
        assert b"the same failure" in terminal.shown
    assert left(drilled.home) == []


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
    drilled: Recorded, number: signal.Signals, code: int
) -> None:
    """Neither a process nor a file."""
    home, task = drilled.home, drilled.tasks["hang"]
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


def test_the_fresh_process_waits_for_cuda_when_asked_and_knows_no_secret(drilled: Recorded) -> None:
    """Its environment is that of a task process, and one variable."""
    home, task = drilled.home, drilled.tasks["hang"]
    command = [LOOP26, "--home", str(home.path), "replay", task, "--timeout", "0", "--blocking"]
    environment = {**home.environment, "SUPABASE_SERVICE_ROLE_KEY": "planted"}
    with subprocess.Popen(command, env=environment) as replay:
        try:
            journal = running(home)
            pid = int(journal.name.split("-")[2])
            told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            order = json.loads((journal.parents[1] / "order.json").read_bytes())
        finally:
            replay.send_signal(signal.SIGTERM)
    assert b"CUDA_LAUNCH_BLOCKING=1" in told
    assert order["configure"]["calls_wait"] is True
    assert not any(b"planted" in each for each in told)


def test_what_is_kept_is_the_replays_folder(drilled: Recorded) -> None:
    """With its journal."""
    kept = Path(replayed(drilled.home, drilled.tasks[PLAIN], "--keep")["kept"])
    assert list((kept / "spool").glob("*-task-*/000001.journal"))
    assert left(drilled.home) == [kept.name]
    shutil.rmtree(kept)


def test_a_verdict_that_cannot_be_kept_is_told_all_the_same(drilled: Recorded) -> None:
    """With a line that says so; the exit code is the verdict's."""
    home, task = drilled.home, drilled.tasks[PLAIN]
    answer = home.path / FOLDER / f"{task}.json"
    answer.unlink(missing_ok=True)
    answer.mkdir(parents=True)
    try:
        done = home.run("replay", task, "--json")
    finally:
        answer.rmdir()
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "the same failure"
    assert done.stderr == f"loop26: {found['forgotten']}\n"
    assert "it cannot be kept: Is a directory" in found["forgotten"]


def test_the_debugger_and_json_exclude_each_other(home: Home) -> None:
    """One is for people, the other for programs."""
    done = home.run("replay", "0123", "--pdb", "--json")
    assert done.returncode == 2
    assert "--pdb is for people" in done.stderr
