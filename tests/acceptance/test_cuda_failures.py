"""Failures of the GPU, as torch raises them: told, tried again, survived, or given back."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import torch

from telemetry import names
from telemetry.journal import JournalReader, process_directories
from telemetry.records import SpanBegin
from telemetry.spans import Folder, Span
from tests.acceptance.home import Home, Worker, a_quick_task, home_at
from tests.acceptance.injection import STAGES, Fault, Point, inject, place_of
from worker.engines.tiny import build_tiny_loras
from worker.task import Task, TaskStatus
from worker.video.files import read_frames

pytestmark = pytest.mark.timeout(1200)

EARLY = STAGES["inputs"]  # before a model is loaded, which takes its time
FIRST = STAGES["generate"]
# Two steps of the first try have begun by then, and one of the second.
SECOND = dataclasses.replace(FIRST, call=4)
PROBE = Point(module="worker.engines.placement", function="_wrong_products")
BLOCKING = ("--set", "blocking_rerun=true")
SLOW_S = 900  # eight task processes begin one after another, on a machine that does much else
MET = (
    *("no room", "no workspace", "nothing", "no room twice", "no numbers"),
    *("poison", "passing poison", "death", "no device", "all behind"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one worker has made of some tasks, by what they met, and the last fault of each."""

    home: Home
    worker: Worker
    ids: dict[str, UUID]
    faults: dict[str, Fault]

    def task(self, met: str) -> Task:
        """Return a task."""
        return self.home.task(self.ids[met])

    def error(self, met: str) -> dict[str, Any]:
        """Return the error on a task's row."""
        return self.task(met).error or {}

    def counts(self, met: str) -> tuple[TaskStatus, int, int]:
        """Return what a task is, and how many attempts and deaths it has."""
        task = self.task(met)
        return task.status, task.attempts, task.deaths

    def frames(self, met: str) -> Any:
        """Return the pictures of a task's video."""
        task = self.task(met)
        assert task.status is TaskStatus.COMPLETE, task.error_message
        return read_frames(Path(task.output_location or ""))

    def spans(self, met: str) -> list[Span]:
        """Return the spans of a task's trace that have ended, by their start."""
        trace = self._trace(met)
        found = []
        for directory in process_directories(self.home.path / "spool"):
            folder = Folder()
            for record in JournalReader(directory).read():
                found += [span for span in folder.feed(record) if span.trace_id.hex() == trace]
        return sorted(found, key=lambda span: span.start_ns)

    def begun(self, met: str) -> int:
        """Return how many spans were begun in a task's trace."""
        trace = self._trace(met)
        return sum(
            isinstance(record.body, SpanBegin) and record.body.trace_id.hex() == trace
            for directory in process_directories(self.home.path / "spool")
            for record in JournalReader(directory).read()
        )

    def investigation(self, met: str) -> dict[str, Any]:
        """Return what `investigate` finds."""
        done = self.home.run("investigate", str(self.ids[met]), "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _trace(self, met: str) -> str:
        return (self.task(met).process_context or "").split("-")[1]


def processes(worker: Worker) -> int:
    """Return how many task processes got ready."""
    return sum(line["event"] == "ready" for line in worker.lines())


def a_task_of_infinities(home: Home) -> dict[str, Any]:
    """Make the payload of a generation with a LoRA that overflows."""
    from safetensors.torch import load_file, save_file

    broken = home.path / "broken.safetensors"
    sound = build_tiny_loras(home.path / "loras")[0]
    save_file({name: value / 0 for name, value in load_file(sound).items()}, broken)
    task = a_quick_task()
    task["params"] |= {"activated_loras": [str(broken)], "loras_multipliers": "2"}
    return task


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Run one worker, which runs again what CUDA has failed, over a task for each failure."""
    with home_at(tmp_path_factory.mktemp("failures")) as home:
        tasks = [a_quick_task() for _ in MET]
        tasks[MET.index("no numbers")] = a_task_of_infinities(home)
        ids = dict(zip(MET, home.enqueue(*tasks), strict=True))
        first = {
            "no room": (FIRST, "no_device_memory"),
            "no workspace": (FIRST, "no_workspace"),
            "no room twice": (FIRST, "no_device_memory"),
            "poison": (FIRST, "device_assert"),
            "passing poison": (FIRST, "device_assert"),
            "death": (EARLY, "device_assert"),
            "no device": (EARLY, "device_assert_and_then_nothing"),
        }
        faults = {
            met: inject(home, point, fault, task=ids[met]) for met, (point, fault) in first.items()
        }
        twice, said = ids["no room twice"], "CUDA out of memory, again"
        faults |= {
            "no room twice": inject(home, SECOND, "no_device_memory", task=twice, said=said),
            "poison": inject(home, FIRST, "device_assert_at_its_cause", task=ids["poison"]),
            "death": inject(home, EARLY, "segfault", task=ids["death"]),
        }
        worker = home.worker(*BLOCKING, "--set", "max_deaths=1")
        assert worker.process.wait(timeout=SLOW_S) == 80, worker.lines()
        yield Ran(home=home, worker=worker, ids=ids, faults=faults)


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Run a worker of a GPU, as it is set, over poison; its next process finds no GPU any more."""
    with home_at(tmp_path_factory.mktemp("poisoned")) as home:
        ids = dict(zip(("poison", "following"), home.enqueue(*[a_quick_task()] * 2), strict=True))
        inject(home, PROBE, "seem_a_gpu")
        faults = {"poison": inject(home, EARLY, "device_assert", task=ids["poison"])}
        worker = home.worker()
        assert worker.process.wait(timeout=SLOW_S) == 80, worker.lines()
        yield Ran(home=home, worker=worker, ids=ids, faults=faults)


@pytest.mark.parametrize("met", ["no room", "no workspace"])
def test_a_task_that_finds_no_room_once_is_done_as_if_it_had(ran: Ran, met: str) -> None:
    """In the same attempt, with the pictures of an undisturbed run."""
    assert np.array_equal(ran.frames(met), ran.frames("nothing"))
    assert ran.counts(met) == (TaskStatus.COMPLETE, 1, 0)


@pytest.mark.parametrize(
    ("met", "reason"),
    [("no room", "OutOfMemoryError: CUDA out of memory"), ("no workspace", "_ALLOC_FAILED")],
)
def test_its_trace_shows_both_tries_and_why_there_was_a_second(
    ran: Ran, met: str, reason: str
) -> None:
    """What was freed between them is a span of its own."""
    spans = ran.spans(met)
    tries = [span for span in spans if span.name == names.engine("generate")]
    (freed,) = [span for span in spans if span.name == names.FREE_MEMORY]
    assert [span.status for span in tries] == [2, 0]
    assert (tries[0].end_ns or 0) <= freed.start_ns < tries[1].start_ns
    assert reason in freed.attributes[names.REASON]


def test_a_task_that_finds_no_room_twice_fails_at_its_line(ran: Ran) -> None:
    """In one attempt, and the row says in a sentence who holds the memory."""
    error = ran.error("no room twice")
    assert ran.counts("no room twice") == (TaskStatus.FAILED, 1, 0)
    assert (error["type"], error["place"]) == ("torch.OutOfMemoryError", "raised at")
    assert (error["file"], error["line"]) == place_of(ran.faults["no room twice"])
    assert "MiB transformer" in error["sentence"]
    assert "1024x1024 float32: workspace in no_device_memory" in error["sentence"]
    assert len(error["sentence"]) < 1000


def test_its_trace_has_who_held_the_memory_each_time(ran: Ran) -> None:
    """As events of the stage, part by part."""
    (stage,) = [span for span in ran.spans("no room twice") if span.name == "stage generate"]
    told = [event.attributes for event in stage.events if event.name == names.MEMORY_EVENT]
    assert len(told) == 2
    assert any("transformer_2" in part for part in told[1][names.MEMORY_COMPONENTS])


def test_its_report_has_who_held_the_memory(ran: Ran) -> None:
    """Among the values of the stack, and as what to do next; steps are those of the last try."""
    found = ran.investigation("no room twice")
    assert found["steps"]["completed"] == 1
    assert any("held the device's memory" in step for step in found["next_steps"])
    frames = found["failure"]["frames"]
    (frame,) = [one for one in frames if one["function"] == "with_second_try"]
    assert any("transformer" in part for part in frame["locals"]["memory"]["components"])


def test_a_poisoned_device_fails_its_task_alone(poisoned: Ran) -> None:
    """What follows it is nobody's yet."""
    assert poisoned.counts("poison") == (TaskStatus.FAILED, 1, 0)
    assert poisoned.counts("following") == (TaskStatus.QUEUED, 0, 0)


def test_the_line_that_cuda_was_heard_at_is_named_and_doubted(poisoned: Ran) -> None:
    """It need not be the cause's, and how to find that is said."""
    error = poisoned.error("poison")
    assert error["type"] == "torch.AcceleratorError"
    assert (error["file"], error["line"]) == place_of(poisoned.faults["poison"])
    assert "need not be its cause" in error["sentence"]
    assert any("--blocking" in step for step in poisoned.investigation("poison")["next_steps"])


def test_a_worker_whose_next_process_finds_no_gpu_any_more_ends(poisoned: Ran) -> None:
    """Where the driver is gone, torch sees a CPU: a worker of a GPU does not go on as that."""
    assert "the CUDA device is gone" in str(poisoned.worker.lines()[-1])


def test_a_worker_whose_device_is_gone_lets_others_try_and_ends(poisoned: Ran) -> None:
    """Exit code 80; the attempt is counted, so that no task takes all GPUs down."""
    inject(poisoned.home, EARLY, "unavailable", task=poisoned.ids["following"])
    worker = poisoned.home.worker()
    assert worker.process.wait(timeout=SLOW_S) == 80, worker.lines()
    assert poisoned.counts("following") == (TaskStatus.QUEUED, 1, 0)
    assert "busy or unavailable" in str(worker.heard("settled"))


def test_numbers_that_are_none_fail_at_the_step_that_made_them(ran: Ran) -> None:
    """With what is known to do that."""
    error = ran.error("no numbers")
    assert (error["type"], error["kind"]) == ("worker.errors.NotFinite", "exception")
    assert error["stage"] == "generate"
    assert "step 1 of 2 (phase 1, high-noise expert" in error["sentence"]
    assert "lower the LoRAs' strengths: 2" in error["sentence"]


def test_a_task_is_run_again_with_calls_that_wait_to_name_the_line(ran: Ran) -> None:
    """In the same attempt; nothing is left to be doubted."""
    error = ran.error("poison")
    assert ran.counts("poison") == (TaskStatus.FAILED, 1, 0)
    assert (error["file"], error["line"]) == place_of(ran.faults["poison"])
    assert "this line is its cause" in error["sentence"]
    told = ran.home.told(ran.ids["poison"])
    assert told == ["inserted", "claimed", "started", "started", "failed"]


def test_its_trace_is_one_and_has_both_runs_whole(ran: Ran) -> None:
    """The attempt's span says that there was another, and the reason."""
    spans = ran.spans("poison")
    assert ran.error("poison")["record"]["complete"]
    assert len(spans) == ran.begun("poison")
    runs = [span for span in spans if span.name == names.engine("generate")]
    assert [span.status for span in runs] == [2, 2]
    (process,) = [span for span in spans if span.name == names.process("t2v")]
    assert [event.name for event in process.events][:1] == [names.BLOCKING_EVENT]


def test_its_report_tells_of_the_second_run(ran: Ran) -> None:
    """And does not send people to look for another line."""
    found = ran.investigation("poison")
    assert (found["loop"]["completed"], found["loop"]["total"]) == (32, 32)
    assert not any("--blocking" in step for step in found["next_steps"])


def test_a_task_that_goes_well_when_it_is_run_again_is_done(ran: Ran) -> None:
    """Poison that comes and goes costs its task nothing but time."""
    assert ran.counts("passing poison") == (TaskStatus.COMPLETE, 1, 0)


def test_a_task_that_dies_when_it_is_run_again_has_died(ran: Ran) -> None:
    """The rerun is a part of its attempt, and its end is that of the attempt."""
    error = ran.error("death")
    assert ran.counts("death") == (TaskStatus.FAILED, 1, 1)
    assert (error["type"], error["line"]) == ("segfault", place_of(ran.faults["death"])[1])


def test_a_process_whose_calls_wait_does_one_task(ran: Ran) -> None:
    """It is slow: two processes after each poison. Nothing else has a process replaced."""
    assert processes(ran.worker) == 7


def test_one_that_cannot_be_run_again_fails_and_the_worker_ends(ran: Ran) -> None:
    """Where the device does not compute for another process: exit code 80, nothing else is lost.

    Given back, the task would do the same to the next device.
    """
    assert ran.counts("no device") == (TaskStatus.FAILED, 1, 0)
    assert "need not be its cause" in ran.error("no device")["sentence"]
    assert ran.counts("all behind") == (TaskStatus.QUEUED, 0, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_fails_as_torch_says_it_does(home: Home) -> None:
    """Memory that is used up is tried twice, an assertion run again blocking; all else is done."""
    room, poison, following = home.enqueue(a_quick_task(), a_quick_task(), a_quick_task())
    inject(home, FIRST, "no_device_memory_of_a_gpu", task=room)
    inject(home, FIRST, "device_assert_of_a_gpu", task=poison)
    inject(home, FIRST, "device_assert_of_a_gpu", task=poison)
    home.work_until_idle(*BLOCKING, patience_s=SLOW_S)
    assert home.task(room).status is TaskStatus.COMPLETE
    assert home.task(following).status is TaskStatus.COMPLETE
    error = home.task(poison).error or {}
    assert error["type"] == "torch.AcceleratorError"
    # Where the calls wait, it is heard of where the row is picked, deep in torch.
    assert error["function"] == "embedding"
