"""A tiny engine on the CPU, requests planned by hand, and the spans that were journalled."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from telemetry import Recorder
from telemetry.journal import JournalReader
from telemetry.spans import Folder, Span
from worker.engines.base import Inputs, LoraFile
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.tiny import build_tiny_loras
from worker.errors import TaskCancelled
from worker.params.request import GenerationRequest, LoraUse, Schedule, Step
from worker.params.schedules import threshold, timesteps

WIDTH, HEIGHT, FRAMES = 64, 48, 9
INCIDENT_TASK = Path(__file__).parents[2] / "data" / "incident_task.json"


class WatchingObserver:
    """Keeps what the engine tells; cancels once `cancel_after` steps are done."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self.pieces: list[Any] = []
        self._cancel_after = cancel_after

    def check_cancelled(self) -> None:
        """Raise once enough steps are done."""
        if self._cancel_after is not None and len(self.steps) >= self._cancel_after:
            raise TaskCancelled("cancelled by the test")

    def step(self, index: int, count: int) -> None:
        """Keep the step."""
        self.steps.append((index, count))

    def decoded(self, frames: Any) -> None:
        """Keep the piece."""
        self.pieces.append(frames)


def _plan(solver: str, phases: Sequence[tuple[int, float, str]], shift: float) -> Schedule:
    """Plan phases of (steps, guidance, expert)."""
    counted = timesteps(solver, shift, sum(steps for steps, _, _ in phases))
    spread = [
        (phase, guidance, expert)
        for phase, (steps, guidance, expert) in enumerate(phases, start=1)
        for _ in range(steps)
    ]
    taus = counted.timesteps
    switches = [
        threshold(taus[index - 1], taus[index])
        for index in range(1, len(spread))
        if spread[index][0] != spread[index - 1][0]
    ]
    return Schedule(
        solver=solver,
        shift=shift,
        steps=tuple(
            Step(index=i, timestep=tau, phase=phase, guidance_scale=guidance, expert=expert)
            for i, (tau, (phase, guidance, expert)) in enumerate(zip(taus, spread, strict=True))
        ),
        sigmas=counted.sigmas,
        switch_threshold=switches[0] if switches else None,
        switch_threshold2=switches[1] if len(switches) > 1 else None,
    )


def _request(
    *,
    model: str = "tiny_i2v",
    solver: str = "euler",
    phases: Sequence[tuple[int, float, str]] = (
        (2, 3.0, "high"),
        (2, 1.0, "high"),
        (2, 1.0, "low"),
    ),
    seed: int = 42,
    prompt: str = "a red ball moves left",
    loras: Sequence[LoraFile] = (),
) -> GenerationRequest:
    return GenerationRequest(
        engine="diffusers",
        model=model,
        prompt=prompt,
        negative_prompt="blurry",
        width=WIDTH,
        height=HEIGHT,
        frames=FRAMES,
        fps=16.0,
        seed=seed,
        schedule=_plan(solver, phases, 5.0),
        loras=tuple(lora.use for lora in loras),
    )


def _lora(path: Path, per_step: Sequence[float]) -> LoraFile:
    text = ";".join(map(str, per_step))
    return LoraFile(
        path=path, use=LoraUse(url=str(path), multipliers=text, per_step=tuple(per_step))
    )


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Give the builders: `plan`, `request`, `lora`, `observer`."""
    return SimpleNamespace(plan=_plan, request=_request, lora=_lora, observer=WatchingObserver)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models that the whole run shares."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def engine(models_dir: Path) -> DiffusersWanEngine:
    """Return an engine that keeps tiny_i2v loaded for the whole run."""
    return DiffusersWanEngine(Catalog.load(), models_dir=models_dir, device="cpu", threads=1)


@pytest.fixture(scope="session")
def text_engine(models_dir: Path) -> DiffusersWanEngine:
    """Return an engine that keeps tiny_t2v loaded for the whole run."""
    return DiffusersWanEngine(Catalog.load(), models_dir=models_dir, device="cpu", threads=1)


@pytest.fixture(scope="session")
def lora_paths(models_dir: Path) -> tuple[Path, ...]:
    """Return the three tiny LoRA files."""
    return build_tiny_loras(models_dir)


@pytest.fixture
def incident_config(lora_paths: tuple[Path, ...]) -> dict[str, Any]:
    """Return the incident's phase config, with the tiny LoRAs for its three."""
    task = json.loads(INCIDENT_TASK.read_text(encoding="utf-8"))
    config: dict[str, Any] = task["params"]["orchestrator_details"]["phase_config"]
    renamed: dict[str, str] = {}
    for lora in (lora for phase in config["phases"] for lora in phase["loras"]):
        lora["url"] = renamed.setdefault(lora["url"], str(lora_paths[len(renamed) % 3]))
    return config


@pytest.fixture(scope="session")
def pictures() -> Inputs:
    """Return a start picture of the frame's size."""
    picture = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    return Inputs(start_image=picture)


@pytest.fixture
def journalled(tmp_path: Path) -> Iterator[Callable[[], list[Span]]]:
    """Record this test; call what is given for the spans that have ended, in order of ending."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    reader, folder = JournalReader(recorder.writer.directory), Folder()
    ended: list[Span] = []

    def spans() -> list[Span]:
        for record in reader.read():
            ended.extend(folder.feed(record))
        return ended

    yield spans
    recorder.close()
