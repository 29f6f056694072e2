"""The promise that every engine keeps, and what passes between it and a handler."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from worker.params.request import GenerationRequest, LoraUse

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefinition:
    """What the catalogue knows of a model; nothing here needs its weights.

    Attributes:
        name: As tasks name it.
        engine: Name of the engine that runs it.
        kind: "i2v" (a start image, an end image if given), "t2v" (text alone), or "ti2v" (text,
            with a start image and an end image if given).
        title: For people.
        weights: Hub id or folder ("" for a model that is built from `seed`).
        seed: Seed of a model that is built, not downloaded.
        fps: Frames per second it was trained at.
        frame_stride: Frames are `frame_stride` · N + 1.
        min_frames: The least number of frames.
        max_frames: The greatest number of frames; Wan has 1024 positions, of 4 frames each.
        max_side: The greatest width and height.
        size_multiple: Both sides are multiples of this.
        defaults: The default of every parameter, read-only, in the order of the loop.
    """

    name: str
    engine: str
    kind: str
    title: str
    weights: str
    fps: float
    defaults: Mapping[str, Any]
    seed: int = 0
    frame_stride: int = 4
    min_frames: int = 5
    max_frames: int = 4093
    max_side: int = 8192
    size_multiple: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What an engine computes on; `ready` is False with a `problem` when it cannot."""

    kind: str  # "cuda", "cpu"
    name: str
    ready: bool = True
    problem: str = ""
    memory_bytes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFacts:
    """Who holds a device's memory; texts begin with how much, the largest first.

    Attributes:
        device: Bytes by what they are: total, free, allocated (by tensors), reserved (by the
            allocator), largest_free (the largest block in there that no tensor holds). Empty where
            the device does not say.
        components: The loaded model's parts, its LoRAs apart.
        tensors: The largest others, with the functions that hold them and their names there.
        processes: All that use the device; empty where that is not known.
    """

    device: Mapping[str, int] = field(default_factory=dict)
    components: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFile:
    """A LoRA on this machine's disk, and how the request uses it."""

    path: Path
    use: LoraUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a generation starts from: decoded pictures (RGB, any size) and LoRA files."""

    start_image: "Image | None" = None
    end_image: "Image | None" = None
    loras: tuple[LoraFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What an engine returns.

    Attributes:
        frames: uint8, shape (frames, height, width, 3), RGB.
        seconds_per_step: Of the denoising.
        video: The engine's own encoding of just these frames, H.264 in MP4 at the request's size
            and rate, with sound if there is any; None where it makes none. It stays the engine's:
            nobody else changes or removes it.
    """

    frames: "np.ndarray[Any, Any]"
    seconds_per_step: float = 0.0
    video: Path | None = None


class StepObserver(Protocol):
    """How work tells how far it is, and learns that it must stop."""

    def check_cancelled(self) -> None:
        """Raise `TaskCancelled` when the task was cancelled; else it is known to be at work.

        Called at least once a step, and wherever else many small things are done.
        """
        ...

    def step(self, index: int, count: int) -> None:
        """Step `index` (from 1) of `count` is done."""
        ...


class Observer(StepObserver, Protocol):
    """How an engine tells how far it is and what it has, and learns that it must stop."""

    def decoded(self, frames: "np.ndarray[Any, Any]") -> None:
        """The video's next pictures are decoded: uint8, shape (any, height, width, 3), RGB.

        They are encoded while the engine goes on. Told by engines that decode piece by piece: of
        all that they return then, in order, or of nothing.
        """
        ...


class Engine(Protocol):
    """Generates video. Used from one thread; keeps its model loaded between calls.

    Every method that a handler calls opens the span `engine <call>` with every scalar it was
    given as `loop26.engine.param.<name>` and what it returned.
    """

    name: str

    def device(self) -> DeviceFacts:
        """Prove that the device computes (a small kernel, its result checked)."""
        ...

    def model_def(self, model: str) -> ModelDefinition:
        """Look up a model. Raises `UnknownModel` for an unknown or empty name."""
        ...

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return the model's defaults, read-only, in the order of the parameter loop."""
        ...

    def load(self, model: str) -> None:
        """Have the model ready on the device; unloads another. Nothing to do when it is loaded.

        Raises `ModelUnavailable` when the weights cannot be had.
        """
        ...

    @property
    def loaded_model(self) -> str | None:
        """Name of the model that is loaded now."""
        ...

    @property
    def load_count(self) -> int:
        """How many times a model has been loaded by this engine object."""
        ...

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Generate one video; a `denoise step` span per step.

        Raises `FrameCountMismatch` rather than return another number of frames.
        """
        ...

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Say who holds the device's memory; of tensors, by the names in an exception's frames."""
        ...

    def unload(self) -> None:
        """Free the device's memory: the model and its LoRAs go, and what was kept for later."""
        ...
