"""Two workers fail at one line at once: the queue takes one failure, and both are told."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from telemetry.journal import JournalReader, is_alive, process_directories
from tests.acceptance.home import LOOP26, PATIENCE_S, Home, home_at, wait_for
from tests.acceptance.injection import Point, inject
from worker.drill.incident import cut_record
from worker.drill.journey import SEGMENTS, journey, lay_out
from worker.engines.drill.models import INCIDENT, model_of
from worker.output.storage import black_box_of
from worker.settings.configuration import load
from worker.settings.home import prepare_home
from worker.task import TaskStatus

# Where that engine prepares a generation, which is where its defect is.
DEFECT = Point(module="worker.engines.drill.incident", function="prepare")
# A worker with the drill's engine, until it is told to stop.
WORK = """
import json, sys
from worker import composition
from worker.console import JsonConsole
from worker.engines.registry import DRILL
from worker.settings.configuration import load
settings = load({"home": sys.argv[1], **json.loads(sys.argv[2])}).settings
sys.exit(composition.run(
    settings, until_idle=False, console=JsonConsole(sys.stdout), engine=DRILL
))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallen:
    """A home in which two segments failed at once.

    Attributes:
        first: The one whose failure the queue took.
        second: The one whose failure it refused.
    """

    home: Home
    first: UUID
    second: UUID

    def investigated(self, asked: object, *, home: Path | None = None) -> dict[str, Any]:
        """Return what `loop26 investigate` says, as JSON."""
        command = [LOOP26, "--home", str(home or self.home.path), "investigate", str(asked)]
        done = subprocess.run(
            [*command, "--json"],
            capture_output=True,
            text=True,
            check=True,
            env=self.home.environment,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fallen]:
    """Have two segments of a journey fail at once, on workers that do not know of each other."""
    with home_at(tmp_path_factory.mktemp("two")) as home:
        prepare_home(load({"home": home.path}).settings)
        asked = journey(model_of(INCIDENT), lay_out(home.path))
        with closing(home.store()) as store:
            store.insert([asked])
        for _ in range(2):
            inject(home, DEFECT, "stop_itself")
        with _workers(home, 2):
            for pid in wait_for(lambda: _both_stopped(home), "second at the defect", 60):
                os.kill(pid, signal.SIGCONT)
            wait_for(lambda: _refused(home, asked.id), "refused failure", 60)
        (first,) = [one.id for one in home.children(asked.id) if "fingerprint" in (one.error or {})]
        yield Fallen(home=home, first=first, second=_refused(home, asked.id)[0])


def _both_stopped(home: Home) -> list[int]:
    """Return the process ids of two task processes that are stopped; [] until there are two."""
    alive = filter(is_alive, process_directories(home.path / "spool"))
    facts = [JournalReader(directory).facts for directory in alive]
    pids = [one.pid for one in facts if one.role == "task"]
    stats = {pid: Path(f"/proc/{pid}/stat").read_text() for pid in pids}
    stopped = [pid for pid, stat in stats.items() if stat.rpartition(")")[2].split()[0] == "T"]
    return stopped if len(stopped) > 1 else []


def _refused(home: Home, orchestrator: UUID) -> list[UUID]:
    return [one.id for one in home.children(orchestrator) if "refused" in home.told(one.id)]


@contextmanager
def _workers(home: Home, count: int) -> Iterator[None]:
    options = json.dumps({"allowed_roots": [str(home.path)]})
    command = [sys.executable, "-c", WORK, str(home.path), options]
    workers = [
        subprocess.Popen(command, env=home.environment, stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        codes = [worker.wait(timeout=PATIENCE_S) for worker in workers]
    assert codes == [0] * count


def test_the_second_is_told_by_its_own_failure(fallen: Fallen) -> None:
    """From its own record, and it names the first as the same."""
    told = fallen.investigated(fallen.second)
    assert told["task"]["id"] == str(fallen.second)
    assert told["failure"]["location"]["function"] == "_frames_minimum"
    assert (told["loop"]["completed"], told["completeness"]["complete"]) == (32, True)
    assert [one["task"] for one in told["same_failure"]] == [str(fallen.first)]
    assert f"by its row it fell with {fallen.first}, which is the same failure" in told["says"]


def test_no_hypothesis_takes_its_fall_for_the_cause(fallen: Fallen) -> None:
    """Its row was written by another, but it did not fail of that."""
    told = fallen.investigated(fallen.second)
    assert "confirmed" not in {one["verdict"] for one in told["hypotheses"]}


def test_the_report_on_the_first_counts_it_among_no_victims(fallen: Fallen) -> None:
    """All others of the journey fell, the orchestrator too."""
    told = fallen.investigated(fallen.first)
    assert [one["task"] for one in told["same_failure"]] == [str(fallen.second)]
    felled = [one["id"] for one in told["relatives"] if one["felled"]]
    assert len(felled) == SEGMENTS - 1
    assert str(fallen.second) not in felled


def test_the_second_keeps_a_black_box_of_its_own(fallen: Fallen) -> None:
    """It is read without the queue, and tells the same."""
    settings = load({"home": fallen.home.path}).settings
    told = fallen.investigated(black_box_of(settings.outputs_dir, fallen.second))
    assert told["task"]["id"] == str(fallen.second)
    assert told["says"] == fallen.investigated(fallen.second)["says"]


def test_a_second_whose_record_is_cut_is_told_by_its_history(
    fallen: Fallen, tmp_path: Path
) -> None:
    """The queue refused its failure and kept it; of the record is concluded that it has a lack."""
    copied = tmp_path / "home"
    shutil.copytree(fallen.home.path, copied)
    cut_record(load({"home": copied}).settings, fallen.second)
    told = fallen.investigated(fallen.second, home=copied)
    assert told["task"]["id"] == str(fallen.second)
    assert told["failure"]["location"]["function"] == "_frames_minimum"
    assert told["says"].endswith(f"it fell with {fallen.first}, which is the same failure")
    assert [one["task"] for one in told["same_failure"]] == [str(fallen.first)]
    assert not told["completeness"]["complete"]
    assert "confirmed" not in {one["verdict"] for one in told["hypotheses"]}
    assert told["loop"]["completed"] < told["loop"]["total"] == 32


def test_every_segment_ended_with_the_journey(fallen: Fallen) -> None:
    """Whatever each was told of why."""
    statuses = {fallen.home.task(one).status for one in (fallen.first, fallen.second)}
    assert statuses == {TaskStatus.FAILED}
