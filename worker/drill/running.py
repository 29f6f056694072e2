"""One drill: a task whose engine meets the fault goes through a real worker, to its settled row."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from telemetry.recorder import Recorder
from telemetry.reports.case import Case
from telemetry.reports.findings import Investigation
from telemetry.reports.investigate import investigate
from worker import composition
from worker.casework import gather
from worker.drill.control_group import limited
from worker.drill.planted import Planted
from worker.engines.drill.announcing import ANNOUNCEMENT
from worker.engines.drill.faults import GROUP_BYTES
from worker.engines.registry import DRILL
from worker.errors import WorkerError
from worker.settings import Settings
from worker.settings.environment import child_environment
from worker.store.local import LocalStore
from worker.submission import submit
from worker.task import NewTask, Task

_CUDA_WAIT_S: Final = 120.0  # torch is loaded, and a driver may have to wake up

Tell = Callable[[str], None]
"""Told what a drill does now, a few words each time."""

# As the incident's task asked, but for its LoRAs and pictures: `journey` adds them.
OVERRIDES: Final[Mapping[str, Any]] = {
    "parsed_resolution_wh": "902x508",
    "num_inference_steps": 6,
    "video_length": 81,
    "seed_to_use": 789,
    "phase_config": {
        "num_phases": 2,
        "steps_per_phase": [3, 3],
        "flow_shift": 5,
        "sample_solver": "euler",
        "model_switch_phase": 1,
        "phases": [{"phase": 1, "guidance_scale": 1}, {"phase": 2, "guidance_scale": 1}],
    },
}


class DrillStopped(WorkerError):
    """Raised when the worker of a drill was told to stop, or could not work; says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the drill is over before its end: {why}")
        self.why = why


class Skipped(WorkerError):
    """Raised where a fault cannot be made on this machine; says why. Neither passed nor failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What became of a drill's task, and what an investigation finds of it.

    `refused` counts what a telemetry backend refused while its worker ran.
    """

    task: Task
    case: Case
    found: Investigation
    refused: int = 0

    @property
    def settled_after_s(self) -> float | None:
        """Seconds from the fault to the settled row; None where the record lacks the fault."""
        logs = self.case.model.logs if self.case.model else []
        mine = self.case.task.error.get("trace_id")
        said = [
            log.at_ns
            for log in logs
            if log.message.startswith(ANNOUNCEMENT) and log.trace_id and log.trace_id.hex() == mine
        ]
        return self.task.updated_at.timestamp() - said[-1] / 1e9 if said else None


def drill(settings: Settings, planted: Planted, tell: Tell) -> Drilled:
    """Have a fault happen in a real task process; return what is found of it.

    Args:
        settings: Of the drill's own folder.
        planted: The fault.
        tell: Is told what goes on.

    Raises:
        Skipped: It cannot be made here.
        DrillStopped: The worker was told to stop, or could not start.
    """
    params = {"model_name": planted.model, "prompt": f"a drill: {planted.fault}", **OVERRIDES}
    with ExitStack() as scopes:
        if planted.fault == "oom" and (why := scopes.enter_context(limited(GROUP_BYTES))):
            raise Skipped(why)
        tell("putting a task into the drill's queue")
        (task_id,) = enqueue(settings, NewTask(task_type="t2v", params=params))
        refused = work(settings, tell, hang_after_s=planted.hang_after_s)
    tell("investigating")
    return look(settings, task_id, refused=refused)


def enqueue(settings: Settings, *tasks: NewTask) -> list[UUID]:
    """Put tasks into the drill's queue."""
    with closing(LocalStore(settings.queue_path)) as store:
        recorder = Recorder.open(
            settings.spool_dir, role="cli", record_prompts=settings.record_prompts
        )
        with closing(recorder):
            return submit(tasks, store=store, recorder=recorder)


def work(settings: Settings, tell: Tell, *, hang_after_s: float = 0.0) -> int:
    """Run a worker until nothing is left to do; return how much telemetry was refused.

    Raises `DrillStopped` when it was told to stop, or could not start.
    """
    if hang_after_s:
        limits = {**settings.hang_after_s, "generate": hang_after_s}
        settings = settings.model_copy(update={"hang_after_s": limits})
    narrator, shipper = Narrator(tell), composition.make_shipper(settings)
    code = composition.run(
        settings, until_idle=True, console=narrator, engine=DRILL, shipper=shipper
    )
    if code or narrator.stopped:
        raise DrillStopped(narrator.stopped or f"its worker ended with exit code {code}")
    return shipper.counters.refused


def look(settings: Settings, task_id: UUID, *, refused: int = 0) -> Drilled:
    """Investigate a task, as `loop26 investigate` would."""
    with closing(LocalStore(settings.queue_path)) as store:
        task = store.get(task_id)
        case = gather(settings, store, task)
    return Drilled(task=task, case=case, found=investigate(case), refused=refused)


def has_cuda(settings: Settings) -> bool:
    """Whether the CUDA faults can be real: asked in a process of its own, since it loads torch."""
    if settings.device == "cpu":
        return False
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "worker.engines.drill.cuda"],
            capture_output=True,
            check=False,
            env=child_environment(),
            timeout=_CUDA_WAIT_S,
        )
    except subprocess.TimeoutExpired:  # its driver is stuck: nothing real can be done with it
        return False
    return asked.returncode == 0


class Narrator:
    """Turns what a worker tells into words on how far the drill is; see `worker.console`.

    Attributes:
        stopped: Why the worker works no longer, where it was told to stop or cannot; or "".
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.stopped = ""

    def ready(self, device: Mapping[str, Any]) -> None:
        """The task process has started."""
        del device
        self._tell("the task process is ready")

    def claimed(self, task: Task) -> None:
        """The worker has the task."""
        self._tell(f"working on the {task.task_type}")

    def progress(
        self,
        task_id: object,
        stage: str,
        step: int,
        steps: int,
        fraction: float,
        eta_s: float | None,
    ) -> None:
        """Say the stage, and the step where there are any."""
        del task_id, fraction, eta_s
        self._tell(f"stage {stage}, step {step} of {steps}" if steps else f"stage {stage}")

    def quiet(self, task_id: object, seconds: float) -> None:
        """Say for how long nothing was heard."""
        del task_id
        if seconds >= 1:
            self._tell(f"nothing heard for {seconds:.0f} s")

    def settled(
        self, task_id: object, outcome: str, sentence: str, location: str | None, seconds: float
    ) -> None:
        """The task is over."""
        del task_id, sentence, location, seconds
        self._tell(f"settled: {outcome}")

    def note(self, level: str, message: str, **facts: Any) -> None:
        """Keep what ends the drill; the rest is in its table."""
        del facts
        if level == "error" or message.startswith("SIG"):
            self.stopped = self.stopped or message

    def close(self) -> None:
        """Nothing is left to be closed."""
