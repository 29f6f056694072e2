"""A context for handlers: an engine of the Protocol without torch, pictures, a claim."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image

from worker.engines.base import (
    DeviceFacts,
    Generated,
    Inputs,
    MemoryFacts,
    ModelDefinition,
    Observer,
)
from worker.errors import FrameCountMismatch, TaskCancelled, UnknownModel
from worker.handlers.base import Context
from worker.handlers.planning import Known
from worker.inputs.policy import InputPolicy
from worker.params.payload import UnknownKeys
from worker.params.request import GenerationRequest
from worker.task import Claim, Dependency, Task, TaskStatus

Parent = Callable[[UUID], Mapping[str, Any] | None]

DEFAULTS = MappingProxyType(
    {
        "resolution": "64x48",
        "video_length": 9,
        "num_inference_steps": 4,
        "guidance_scale": 3,
        "flow_shift": 5,
        "sample_solver": "euler",
        "negative_prompt": "blurry",
        "seed": -1,
    }
)


class FadeEngine:
    """Keeps the promise of `Engine`: fades from the start image to the end image, no torch."""

    name = "fade"

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []
        self.inputs: list[Inputs] = []
        self.models = {
            model.name: model
            for model in (
                ModelDefinition(
                    name=f"fade_{kind}",
                    engine=self.name,
                    kind=kind,
                    title="",
                    weights="",
                    fps=8.0,
                    defaults=DEFAULTS,
                )
                for kind in ("i2v", "t2v", "ti2v")
            )
        }
        self.video: Path | None = None  # what it says that it has encoded itself
        self.told_early = 0  # how many pictures it tells of before it returns
        self._loaded: str | None = None
        self._load_count = 0

    def device(self) -> DeviceFacts:
        """It needs none."""
        return DeviceFacts(kind="cpu", name="none")

    def model_def(self, model: str) -> ModelDefinition:
        """Look it up."""
        if model not in self.models:
            raise UnknownModel(model, tuple(self.models))
        return self.models[model]

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return the defaults of the definition."""
        return self.model_def(model).defaults

    def load(self, model: str) -> None:
        """Count what would be loaded."""
        self._load_count += model != self._loaded
        self._loaded = model

    @property
    def loaded_model(self) -> str | None:
        """The model of the last load."""
        return self._loaded

    @property
    def load_count(self) -> int:
        """How many loads changed the model."""
        return self._load_count

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Fade linearly, so that a frame tells which one it is."""
        self.requests.append(request)
        self.inputs.append(inputs)
        steps = len(request.schedule.steps)
        for index in range(1, steps + 1):
            observer.check_cancelled()
            observer.step(index, steps)
        size = (request.width, request.height)
        start, end = (
            np.zeros((size[1], size[0], 3), np.float32)
            if image is None
            else np.asarray(image.resize(size), np.float32)
            for image in (inputs.start_image, inputs.end_image or inputs.start_image)
        )
        shares = np.linspace(0, 1, request.frames, dtype=np.float32)
        frames = np.stack([start + share * (end - start) for share in shares]).astype(np.uint8)
        if len(frames) != request.frames:
            raise FrameCountMismatch(request.frames, len(frames))
        if self.told_early:
            observer.decoded(frames[: self.told_early])
        return Generated(frames=frames, video=self.video)

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """It holds none."""
        del exc
        return MemoryFacts()

    def unload(self) -> None:
        """Forget the model."""
        self._loaded = None


@dataclass
class Notes:
    """Keeps the promise of `TaskObserver`: notes what it is told; may be cancelled at a stage."""

    said: list[str] = field(default_factory=list)
    cancel_at: str = ""

    def check_cancelled(self) -> None:
        """Raise once the stage to be cancelled at has been entered."""
        if self.cancel_at and self.cancel_at in self.said:
            raise TaskCancelled("by its user")

    def stage(self, name: str) -> None:
        """Note it."""
        self.said.append(name)

    def step(self, index: int, count: int) -> None:
        """Note it."""
        self.said.append(f"{index}/{count}")

    def started(self) -> None:
        """Note it."""
        self.said.append("started")

    @property
    def stages(self) -> list[str]:
        """The stages and the start, without the steps."""
        return [word for word in self.said if "/" not in word]


@dataclass
class Lookup:
    """Finds models as a catalogue does."""

    engine: FadeEngine

    def get(self, name: Any) -> ModelDefinition:
        """Return a model's definition."""
        return self.engine.model_def(name)


@dataclass
class Bench:
    """What a handler's test works with."""

    folder: Path
    engine: FadeEngine = field(default_factory=FadeEngine)
    notes: Notes = field(default_factory=Notes)

    @property
    def policy(self) -> InputPolicy:
        """Loopback is allowed."""
        return InputPolicy(cache_dir=self.folder / "cache", private_addresses=True)

    def known(self, *, parent: Parent = lambda _: None, unknown: UnknownKeys = "pass") -> Known:
        """Say what tasks are planned against: this engine's models."""
        return Known(models=Lookup(self.engine), parent=parent, unknown=unknown)

    def picture(self, name: str, colour: tuple[int, int, int]) -> str:
        """Write a picture of one colour and return its path."""
        path = self.folder / f"{name}.png"
        Image.new("RGB", (64, 48), colour).save(path)
        return str(path)

    def colour_of(self, which: str) -> Any:
        """Return the colour of the "start" or "end" image that the engine was given first."""
        image = getattr(self.engine.inputs[0], f"{which}_image")
        return None if image is None else image.getpixel((0, 0))

    def context(
        self,
        task_type: str,
        params: dict[str, Any],
        *,
        task_id: UUID | None = None,
        dependencies: tuple[Dependency, ...] = (),
        parent_params: dict[str, Any] | None = None,
    ) -> Context:
        """Make the context of one attempt at a task."""
        task = task_of(task_type, params, task_id or uuid4())
        work_dir = self.folder / "work" / uuid4().hex
        work_dir.mkdir(parents=True)
        return Context(
            claim=Claim(
                token=uuid4(), task=task, dependencies=dependencies, parent_params=parent_params
            ),
            engine=self.engine,
            observer=self.notes,
            work_dir=work_dir,
            inputs=self.policy,
        )


def task_of(task_type: str, params: dict[str, Any], task_id: UUID) -> Task:
    """Make a task as a claim holds it."""
    now = datetime(2026, 2, 24, 14, 10, tzinfo=UTC)
    return Task(
        id=task_id,
        task_type=task_type,
        params=params,
        status=TaskStatus.IN_PROGRESS,
        dependant_on=(),
        parent_id=None,
        project_id=UUID(int=7),
        idempotency_key=None,
        trace_context=None,
        process_context=None,
        attempts=1,
        deaths=0,
        worker_id="w",
        output_location=None,
        error_message=None,
        error=None,
        result_data=None,
        progress=None,
        created_at=now,
        updated_at=now,
        generation_started_at=None,
        generation_processed_at=None,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Make a bench of its own for a test."""
    return Bench(tmp_path)


@pytest.fixture
def journey(bench: Bench) -> Callable[..., dict[str, Any]]:
    """Return a function that makes the details of a journey of three segments, with changes."""
    images = [bench.picture(f"p{index}", (index * 60, 0, 200)) for index in range(4)]

    def details(**changes: Any) -> dict[str, Any]:
        return {
            "model_name": "fade_i2v",
            "parsed_resolution_wh": "64x48",
            "num_new_segments_to_generate": 3,
            "segment_frames_expanded": [9, 9, 9],
            "base_prompts_expanded": ["one", "two", "three"],
            "negative_prompts_expanded": ["dark", "dull", "grey"],
            "frame_overlap_expanded": [4, 4],
            "input_image_paths_resolved": images,
            "seed_base": 77,
            "run_id": "run",
        } | changes

    return details


@pytest.fixture
def write_lora(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that writes a LoRA file of one small tensor, and returns its path."""
    from safetensors.numpy import save_file

    def write(name: str) -> str:
        path = tmp_path / name
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        generator = np.random.default_rng(seed)
        save_file({"down": generator.random((2, 2), dtype=np.float32)}, path)
        return str(path)

    return write
