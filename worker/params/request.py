"""The frozen request: the only thing an engine gets to see of a task."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec


class ParamValue(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter: the value used, what was asked, and the layer that said so.

    `source` is the layer that won: "system", "model", "phase_config", "orchestrator", "segment",
    "individual_segment_params" or "task". `change` says how `value` came from what that asked:
    "rounded", "drawn", or "" where it is the same. Values are deeply frozen: lists are tuples.
    """

    name: str
    value: Any
    asked: Any
    source: str
    change: str = ""

    @property
    def is_null(self) -> bool:
        """Whether the value is None, which is what one looks for after a crash."""
        return self.value is None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraUse:
    """One LoRA file and its strength.

    Attributes:
        url: Path or http(s) URL, as asked.
        multipliers: The text of the multipliers, one part a phase: '1.2;0'.
        per_step: The strength in each step, expanded: (1.2, 1.2, 1.2, 0.0, 0.0, 0.0).
        sha256: Expected hash of the file, if the task gave one.
        field: Dotted path at which the task names the file; two requests may differ in it alone.
    """

    url: str
    multipliers: str
    per_step: tuple[float, ...]
    sha256: str | None = None
    field: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One denoising step: `phase` from 1, its guidance, and which expert runs ("high", "low")."""

    index: int
    timestep: float
    phase: int
    guidance_scale: float
    expert: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The steps of a generation, planned before the engine runs.

    Attributes:
        solver: euler, unipc, dpm++, causvid, or where not `exact` one that only the engine knows.
        shift: The flow shift.
        steps: One entry a step, in order. Their timesteps, in float32, are what the transformer
            is given; no scheduler's own.
        sigmas: The noise levels that the solver steps between, for every solver: timestep / 1000
            in float32 and at most 1, one a step, and the final 0.0: n + 1 values, shifted already.
            An Euler step is `x += (sigmas[i + 1] - sigmas[i]) * velocity`.
        switch_threshold: The timestep at or under which phase 2 runs; None with one phase.
        switch_threshold2: The same for phase 3; None with fewer than three.
        exact: Whether these are the engine's own timesteps. Where they are not, only the number of
            steps is sure: timesteps, sigmas, and the phase of each are what euler would have.
    """

    solver: str
    shift: float
    steps: tuple[Step, ...]
    sigmas: tuple[float, ...]
    switch_threshold: float | None
    switch_threshold2: float | None
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """Everything an engine needs to generate one video, rounded and checked.

    Attributes:
        engine: Name of the engine.
        model: Name of the model, as in the catalogue.
        prompt: The text, with the texts before and after it already joined.
        negative_prompt: The text to steer away from.
        width: Pixels, a multiple of 16.
        height: Pixels, a multiple of 16.
        frames: 4N + 1.
        fps: Frames per second of the output.
        seed: 0 to 2**32 - 1; one that was asked as -1 has been drawn.
        schedule: The denoising steps.
        loras: In the order in which they are applied.
        params: Every parameter by name, with provenance; read-only.
        defaults_digest: sha256 of the model's defaults in canonical JSON, before the loop; the
            resolver raises if it is another one after.
    """

    engine: str
    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    frames: int
    fps: float
    seed: int
    schedule: Schedule
    loras: tuple[LoraUse, ...] = ()
    params: Mapping[str, ParamValue] = dataclasses.field(
        default_factory=lambda: MappingProxyType({})
    )
    defaults_digest: str = ""
