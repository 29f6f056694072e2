"""An engine that takes as long as a GPU does, and computes nothing: no torch is loaded for it.

It waits as one waits for a device, opens the spans that every engine opens, tells of pictures piece
by piece as Wan's VAE decodes them, and returns some that move smoothly, so that their file is as
large as a real one's.
"""

import platform
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

import telemetry
from telemetry import names
from worker.engines.base import (
    DeviceFacts,
    Generated,
    Inputs,
    MemoryFacts,
    ModelDefinition,
    Observer,
)
from worker.engines.catalog import Catalog, fresh_defaults
from worker.params.request import GenerationRequest, Step

# Of the whole time; the rest is for the text and the pictures before, and for decoding after.
DENOISING = 0.9
GRAIN = 3.0  # of 255, as a standard deviation
SHIFTS = 64
PIECE = 4  # pictures that are decoded at once, as by the VAE of Wan


class PacedEngine:
    """Takes a set time for each generation; see `worker.engines.base.Engine`.

    Args:
        name: What it is taken for.
        segment_s: Seconds of a generation.
    """

    def __init__(self, name: str, segment_s: float) -> None:
        self.name = name
        self._segment_s = segment_s
        self._catalog = Catalog.load()
        self._loaded: str | None = None
        self._load_count = 0

    @property
    def loaded_model(self) -> str | None:
        """Name of the model that is loaded now."""
        return self._loaded

    @property
    def load_count(self) -> int:
        """How many times a model has been loaded by this engine object."""
        return self._load_count

    def device(self) -> DeviceFacts:
        """Name the processor: nothing is computed."""
        return DeviceFacts(kind="cpu", name=platform.machine())

    def model_def(self, model: str) -> ModelDefinition:
        """Look up a model in the worker's catalogue."""
        with telemetry.engine_call("model_def", engine=self.name, model=model, params={}):
            return self._catalog.get(model)

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return a copy of the model's defaults, in the order of the loop."""
        with telemetry.engine_call("default_settings", engine=self.name, model=model, params={}):
            return fresh_defaults(self._catalog.get(model))

    def load(self, model: str) -> None:
        """Take a model for loaded: there are no weights."""
        with telemetry.engine_call("load", engine=self.name, model=model, params={}):
            self._load_count += self._loaded != model
            self._loaded = model

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Go through the steps at the set pace."""
        began = time.monotonic()
        params = {name: param.value for name, param in request.params.items()}
        with telemetry.engine_call(
            "generate", engine=self.name, model=request.model, params=params
        ):
            del inputs
            steps = request.schedule.steps
            for number, step in enumerate(steps, start=1):
                observer.check_cancelled()
                with telemetry.span(names.DENOISE_STEP, _attributes(step, number, len(steps))):
                    _wait_until(began + self._segment_s * DENOISING * number / len(steps))
                observer.step(number, len(steps))
            frames = moving(request)
            decoding = time.monotonic()
            left = began + self._segment_s - decoding
            for done in range(0, len(frames), PIECE):
                _wait_until(decoding + left * done / len(frames))
                observer.decoded(frames[done : done + PIECE])
            _wait_until(began + self._segment_s)
        return Generated(frames=frames, seconds_per_step=self._segment_s * DENOISING / len(steps))

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Say nothing: there is no model."""
        del exc
        return MemoryFacts()

    def unload(self) -> None:
        """Forget the model."""
        self._loaded = None


def moving(request: GenerationRequest) -> Any:
    """Return a landscape of soft hills that moves by, RGB, of the size that was asked.

    Its grain is another one in each frame, as a real video's: 81 frames of 896x496 become 2 MB.
    """
    dice = np.random.default_rng(request.seed)
    height, width = request.height, request.width
    across = np.linspace(0, 6 * np.pi, width, endpoint=False)
    down = np.linspace(0, 4 * np.pi, height, endpoint=False)[:, None]
    hills = np.sin(across) + np.sin(down) + np.sin(3 * across + 2 * down) / 3
    still = np.stack([hills, hills[::-1], -hills], axis=-1) * 50 + 128
    pixels = np.clip(still, GRAIN * 4, 255 - GRAIN * 4).astype(np.int16)
    grain = dice.normal(0, GRAIN, (height + SHIFTS, width + SHIFTS, 1)).astype(np.int16)
    made = np.empty((request.frames, height, width, 3), dtype=np.uint8)
    places = dice.integers(0, SHIFTS, (request.frames, 2))
    for number, (y, x) in enumerate(places):
        moved = np.roll(pixels, 2 * number, axis=1)
        np.clip(moved + grain[y : y + height, x : x + width], 0, 255, out=moved)
        made[number] = moved
    return made


def _attributes(step: Step, number: int, count: int) -> dict[str, Any]:
    return {
        names.STEP_INDEX: number,
        names.STEP_COUNT: count,
        names.STEP_PHASE: step.phase,
        names.STEP_TIMESTEP: step.timestep,
        names.STEP_GUIDANCE: step.guidance_scale,
        names.STEP_EXPERT: step.expert,
    }


def _wait_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
