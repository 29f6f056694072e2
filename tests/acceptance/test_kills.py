"""Killed anywhere, started again, a journey finishes: no child doubled, no segment lost."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import closing
from uuid import UUID

import pytest

from telemetry.journal import JournalReader, is_alive, process_directories
from telemetry.spans import Folder
from tests.acceptance.home import Home, Worker, assert_whole, wait_for
from worker.task import TaskStatus
from worker.video.files import read_frames

SEGMENTS = 2
FRAMES = 5
OVERLAP = 2
# A death is a death, however many of them one unlucky task collects here.
PATIENT = ("--set", "max_deaths=100", "--set", "lease_s=5", "--set", "heartbeat_s=1")
VICTIMS = ("supervisor", "task process", "both")


def strike(worker: Worker, victim: str) -> bool:
    """Kill -9 a part of a worker; False when that part was not there."""
    child = worker.task_process()
    pids = {
        "supervisor": [worker.process.pid],
        "task process": [child],
        "both": [child, worker.process.pid],
    }[victim]
    if not all(pids):
        return False
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return True


def storm(home: Home, kills: int, dice: random.Random) -> tuple[Counter[str], list[UUID]]:
    """Kill workers at random moments until that is done so often, with work for them all along.

    Return what was killed, and the journeys.
    """
    struck: Counter[str] = Counter()
    journeys: list[UUID] = []
    worker = None
    while struck.total() < kills:
        if finished(home):
            journeys += home.enqueue(home.journey(SEGMENTS), home.journey(SEGMENTS))
        if worker is None or worker.process.poll() is not None:
            worker = home.worker(*PATIENT)
        if dice.random() < 0.75:  # most of the time let it get to work, then strike somewhere
            wait_for(lambda w=worker: busy(w) or w.process.poll() is not None, "work")
        # The dice decide the moment: at once, in the first task, in a later one.
        time.sleep(dice.random() * dice.choice((0.5, 3.0, 8.0)))
        victim = dice.choice(VICTIMS)
        if worker.process.poll() is None and strike(worker, victim):
            struck[victim] += 1
            if victim != "task process":
                worker.process.wait()
    return struck, journeys


def busy(worker: Worker) -> bool:
    """Whether the worker has a living task process with a task in hand."""
    last = next((line for line in reversed(worker.lines()) if "task_id" in line), {})
    return last.get("event") in {"claimed", "progress"} and bool(worker.task_process())


def finished(home: Home) -> bool:
    """Whether no task is left to do."""
    if not (home.path / "queue.db").exists():
        return True
    with closing(home.store()) as store:
        return not store.list_tasks(statuses=(TaskStatus.QUEUED, TaskStatus.IN_PROGRESS))


def assert_nothing_lost_or_doubled(home: Home, journeys: list[UUID]) -> None:
    """See that each task was completed once, and each video is what was asked."""
    assert_whole(home, journeys, SEGMENTS)
    for journey in journeys:
        for task in [home.task(journey), *home.children(journey)]:
            told = Counter(home.told(task.id))
            assert told["completed"] == 1, told
            assert told["inserted"] == 1, told
        stitched = read_frames(home.path / "outputs" / str(task.id) / "video.mp4")
        assert len(stitched) == SEGMENTS * FRAMES - (SEGMENTS - 1) * OVERLAP
    assert not list((home.path / "outputs").glob("*/.*")), "an attempt's folder was left behind"


def assert_every_span_closed(home: Home) -> None:
    """See that no journal of the dead has an open span, and that the killed ones say so."""
    for directory in process_directories(home.path / "spool"):
        assert not is_alive(directory)
        folder = Folder()
        for record in JournalReader(directory).read():
            folder.feed(record)
        assert folder.open_spans == (), directory
        assert folder.end is not None, directory


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_journey_survives_a_kill_in_the_middle(home: Home, victim: str) -> None:
    """`kill -9` inside a segment: the next start finishes, and the death is on record."""
    journeys = home.enqueue(home.journey(SEGMENTS))
    worker = home.worker(*PATIENT)
    segment = wait_for(lambda: worker.heard("claimed", task_type="travel_segment"), "segment")
    assert strike(worker, victim)
    if victim != "task process":
        worker.process.wait()
        worker = home.worker(*PATIENT)
    assert worker.process.wait(timeout=240) == 0, worker.lines()
    assert_nothing_lost_or_doubled(home, journeys)
    assert_every_span_closed(home)
    struck = home.task(UUID(segment["task_id"]))
    assert (struck.deaths, struck.attempts) == (1, 2)


def test_random_kills_lose_and_double_nothing(
    home: Home, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    """Strike supervisor, task process or both at random moments; then let it finish."""
    kills = request.config.getoption("--kills")
    struck, journeys = storm(home, kills, dice)
    worker = home.worker(*PATIENT)
    assert worker.process.wait(timeout=60 * len(journeys) + 240) == 0, worker.lines()
    assert_nothing_lost_or_doubled(home, journeys)
    assert_every_span_closed(home)
    deaths = sum(home.task(journey).deaths for journey in journeys)
    deaths += sum(child.deaths for journey in journeys for child in home.children(journey))
    print(f"{dict(struck)} killed over {len(journeys)} journeys, {deaths} in the middle of a task")
