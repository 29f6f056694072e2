"""The steps of each phase, counted at the transformers while the real loop runs.

A LoRA whose strength is the number of the phase marks every call: what is counted is what was in
force inside the transformer, not what the plan says.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from worker.engines.base import Inputs, LoraFile
from worker.engines.decode import decode
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.placement import Placement
from worker.engines.solvers import build_solver
from worker.params.layers import Layer
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve

SOLVERS = ("euler", "unipc", "dpm++", "causvid")
SHIFTS = (1, 3, 5, 7, 12, 0.37, 17.3)
# The steps of each phase, and the last phase of the high-noise expert.
SPLITS = (
    ((1, 1), 1),
    ((3, 3), 1),
    ((2, 4), 1),
    ((5, 1), 1),
    ((2, 2, 2), 1),
    ((2, 2, 2), 2),
    ((1, 2, 3), 2),
    ((3, 3, 3), 1),
)
SMALLEST = {"prompt": "a", "resolution": "16x16", "video_length": 5}
LAYER = "blocks.0.attn1.to_q"
MARK = 1  # which of the tiny LoRAs marks the phases


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a transformer: which, what it was given, the LoRAs' strengths in it, its answer.

    `strengths` are measured: how much of each tiny LoRA the weights of `LAYER` hold at the call.
    """

    expert: str
    timestep: float
    strengths: tuple[float, ...]
    latents: torch.Tensor
    text: torch.Tensor
    predicted: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A generation that was watched."""

    request: GenerationRequest
    calls: tuple[Call, ...]
    frames: "np.ndarray[Any, Any]"

    @property
    def steps(self) -> list[tuple[Call, ...]]:
        """The calls of each step: one, or two where it is guided."""
        grouped = itertools.groupby(self.calls, key=lambda call: call.timestep)
        return [tuple(calls) for _, calls in grouped]

    @property
    def counted(self) -> list[tuple[float, str, float]]:
        """Timestep, expert and marked phase of each call."""
        return [(call.timestep, call.expert, call.strengths[MARK]) for call in self.calls]


Watch = Callable[..., Watched]


@pytest.fixture(scope="module")
def watch(
    engine: DiffusersWanEngine,
    text_engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    models_dir: Path,
    lora_paths: tuple[Path, ...],
) -> Watch:
    """Return a function that resolves a task, generates, and tells what the transformers saw."""

    def run(values: Mapping[str, Any], model: str = "tiny_t2v") -> Watched:
        chosen = engine if model == "tiny_i2v" else text_engine
        chosen.load(model)
        request = resolve(
            chosen.model_def(model),
            [Layer(source="task", values={**SMALLEST, **values})],
            draw_seed=lambda: 1,
        )
        files = tuple(LoraFile(path=Path(use.url), use=use) for use in request.loras)
        picture = pictures.start_image if model == "tiny_i2v" else None
        calls: list[Call] = []
        (folder,) = models_dir.glob(f"{model}-*")
        with ExitStack() as hooks:
            for expert, part in (("high", "transformer"), ("low", "transformer_2")):
                measure = _scales(folder / part, lora_paths)
                hook = (
                    _pipeline(chosen)
                    .components[part]
                    .register_forward_hook(_listener(expert, measure, calls), with_kwargs=True)
                )
                hooks.callback(hook.remove)
            generated = chosen.generate(
                request, Inputs(start_image=picture, loras=files), make.observer()
            )
        return Watched(request=request, calls=tuple(calls), frames=generated.frames)

    return run


def _pipeline(engine: DiffusersWanEngine) -> Any:
    assert engine._loaded is not None
    return engine._loaded._pipeline


def _listener(
    expert: str, measure: Callable[[Any], tuple[float, ...]], calls: list[Call]
) -> Callable[..., None]:
    def heard(transformer: Any, _: Any, given: Mapping[str, Any], answer: Any) -> None:
        assert given["timestep"].dtype == torch.float32
        calls.append(
            Call(
                expert=expert,
                timestep=given["timestep"].item(),
                strengths=measure(transformer),
                latents=given["hidden_states"],
                text=given["encoder_hidden_states"],
                predicted=answer[0],
            )
        )

    return heard


def _scales(folder: Path, lora_paths: Sequence[Path]) -> Callable[[Any], tuple[float, ...]]:
    """Give the measure: a layer's weights in force, less its file's, in terms of the LoRAs'."""
    plain = load_file(folder / "diffusion_pytorch_model.safetensors")[f"{LAYER}.weight"]
    files = [load_file(path) for path in lora_paths]
    lora = [
        file[f"transformer.{LAYER}.lora_B.weight"] @ file[f"transformer.{LAYER}.lora_A.weight"]
        for file in files
    ]
    columns = torch.stack([one.flatten() for one in lora], dim=1)
    every = torch.cat([torch.zeros(1, len(plain)), torch.eye(len(plain))])

    def measure(transformer: Any) -> tuple[float, ...]:
        bias, *weights = transformer.get_submodule(LAYER)(every)
        change = ((torch.stack(weights) - bias).T - plain).flatten()
        strengths = torch.linalg.lstsq(columns, change).solution
        torch.testing.assert_close(columns @ strengths, change, atol=1e-5, rtol=0)
        return tuple(round(strength, 3) + 0.0 for strength in strengths.tolist())

    return measure


def _config(
    steps: Sequence[int],
    loras: Mapping[Path, str],
    *,
    guidance: Sequence[float] = (3, 1, 2),
    solver: str = "euler",
    shift: float = 5,
    switch: int = 1,
) -> dict[str, Any]:
    """Make a phase config; `loras` have their parts joined by ';', and "0" is not listed."""
    phases = [
        {
            "phase": 1 + index,
            "guidance_scale": guidance[index],
            "loras": [
                {"url": str(path), "multiplier": text.split(";")[index]}
                for path, text in loras.items()
                if text.split(";")[index] != "0"
            ],
        }
        for index in range(len(steps))
    ]
    return {
        "num_phases": len(steps),
        "steps_per_phase": list(steps),
        "flow_shift": shift,
        "sample_solver": solver,
        "model_switch_phase": switch,
        "phases": phases,
    }


def _marked(paths: Sequence[Path], phases: int) -> dict[Path, str]:
    """Give one LoRA the number of each phase as its strength."""
    return {paths[MARK]: ";".join(str(phase) for phase in range(1, phases + 1))}


def _asked(config: Mapping[str, Any], watched: Watched) -> list[tuple[float, str, float]]:
    """Read off the config which calls there must be, at the plan's timesteps."""
    phases = [
        phase
        for phase, steps in zip(config["phases"], config["steps_per_phase"], strict=True)
        for _ in range(steps)
    ]
    return [
        (
            step.timestep,
            "low" if phase["phase"] > config["model_switch_phase"] else "high",
            phase["phase"],
        )
        for step, phase in zip(watched.request.schedule.steps, phases, strict=True)
        for _ in range(1 if phase["guidance_scale"] == 1 else 2)
    ]


@pytest.mark.parametrize(
    ("solver", "shift"),
    [
        *((solver, shift) for solver in SOLVERS[:3] for shift in SHIFTS),
        *(("causvid", shift) for shift in (5, 12)),
    ],
)
@pytest.mark.parametrize(("steps", "switch"), SPLITS)
def test_every_phase_has_its_steps(
    watch: Watch,
    lora_paths: tuple[Path, ...],
    solver: str,
    shift: float,
    steps: Sequence[int],
    switch: int,
) -> None:
    """Counted in the transformers: its steps, its expert, its passes, its timesteps to the bit."""
    marks = _marked(lora_paths, len(steps))
    config = _config(steps, marks, solver=solver, shift=shift, switch=switch)
    watched = watch({"phase_config": config})
    assert watched.counted == _asked(config, watched)


@st.composite
def phase_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a phase config without LoRAs."""
    steps = draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    guidance = st.sampled_from([0, 0.5, 1, 1.0, 7.5, 100])
    return _config(
        steps,
        {},
        guidance=[draw(guidance) for _ in steps],
        solver=draw(st.sampled_from(SOLVERS)),
        shift=draw(st.floats(0.001, 1000)),
        switch=draw(st.integers(1, len(steps) - 1)),
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(config=phase_configs())
def test_any_config_has_its_steps(
    watch: Watch, lora_paths: tuple[Path, ...], config: dict[str, Any]
) -> None:
    """Any shift, guidance and split that a config may have is what runs."""
    for phase in config["phases"]:
        phase["loras"] = [{"url": str(lora_paths[MARK]), "multiplier": phase["phase"]}]
    watched = watch({"phase_config": config})
    assert watched.counted == _asked(config, watched)


def test_the_incidents_config_runs_three_and_three(
    watch: Watch, incident_config: dict[str, Any]
) -> None:
    """Shift 5, euler, [3, 3]: its timesteps to the bit, its experts, its LoRAs' strengths."""
    watched = watch({"phase_config": incident_config}, "tiny_i2v")
    high, low = (1.2, 1.05, 0.0), (0.0, 1.05, 1.0)
    assert [(call.timestep, call.expert, call.strengths) for call in watched.calls] == [
        (1000.0, "high", high),
        (952.4376220703125, "high", high),
        (882.52587890625, "high", high),
        (769.6741333007812, "low", low),
        (556.7879028320312, "low", low),
        (4.9800801277160645, "low", low),
    ]


@pytest.mark.parametrize("solver", SOLVERS)
def test_guidance_is_each_phases_own(
    watch: Watch,
    text_engine: DiffusersWanEngine,
    make: SimpleNamespace,
    lora_paths: tuple[Path, ...],
    solver: str,
) -> None:
    """From what the transformers answered, the config's guidance makes every next latents.

    The last are the video's.
    """
    guidance, steps = (3.0, 1.0, 0.5), (2, 1, 2)
    config = _config(steps, _marked(lora_paths, 3), guidance=guidance, solver=solver)
    watched = watch({"phase_config": config})
    walk, latents = build_solver(watched.request.schedule), watched.calls[0].latents
    for index, calls in enumerate(watched.steps):
        assert all(torch.equal(call.latents, latents) for call in calls)
        velocity = calls[0].predicted
        if len(calls) == 2:
            scale = guidance[round(calls[0].strengths[MARK]) - 1]
            velocity = calls[1].predicted + scale * (velocity - calls[1].predicted)
        latents = walk.step(velocity, index, latents)
    placement = Placement.choose(device="cpu", dtype="auto", offload="none")
    with torch.no_grad():
        decoded = decode(
            _pipeline(text_engine), latents, watched.request, placement, make.observer()
        )
    assert (decoded == watched.frames).all()


def test_the_second_pass_reads_the_negative_prompt(
    watch: Watch, lora_paths: tuple[Path, ...]
) -> None:
    """Every first pass has one text, every second another, and they predict differently."""
    config = _config((2, 2), _marked(lora_paths, 2), guidance=(3, 2))
    watched = watch({"phase_config": config, "negative_prompt": "blurry"})
    positive, negative = (call.text for call in watched.steps[0])
    assert positive.shape == negative.shape
    assert not torch.equal(positive, negative)
    for first, second in watched.steps:
        assert torch.equal(first.text, positive)
        assert torch.equal(second.text, negative)
        assert not torch.equal(first.predicted, second.predicted)


@pytest.mark.parametrize("switch", [1, 2])
@pytest.mark.parametrize(
    ("steps", "multipliers", "expected"),
    [
        (
            (2, 2, 2),
            ("1;0.5;0", "0;0;1", "0,1;0.25;1,0"),
            [(1, 0, 0), (1, 0, 1), (0.5, 0, 0.25), (0.5, 0, 0.25), (0, 1, 1), (0, 1, 0)],
        ),
        ((1, 2, 1), ("0;1;0", "0;0,0;0", "-1;0;0"), [(0, 0, -1), (1, 0, 0), (1, 0, 0), (0, 0, 0)]),
        ((1, 1, 1), ("0;0;1.2", "0;0.1;0", "0;0;2"), [(0, 0, 0), (0, 0.1, 0), (1.2, 0, 2)]),
    ],
)
def test_strengths_of_three_phases_are_in_force(
    watch: Watch,
    lora_paths: tuple[Path, ...],
    switch: int,
    steps: Sequence[int],
    multipliers: Sequence[str],
    expected: Sequence[Sequence[float]],
) -> None:
    """Measured at every call, in both passes, whichever expert a phase belongs to."""
    loras = dict(zip(lora_paths, multipliers, strict=True))
    config = _config(steps, loras, guidance=(3, 1, 2), switch=switch)
    watched = watch({"phase_config": config})
    assert [{call.strengths for call in calls} for calls in watched.steps] == [
        {strengths} for strengths in expected
    ]


@pytest.mark.parametrize(
    ("multipliers", "expected"),
    [
        (("1.2;0", "1.05;1.05", "0;1.0"), [(1.2, 1.05, 0)] * 3 + [(0, 1.05, 1)] * 3),
        (
            ("1,0.5,0.2;0", "0,0,1;0,0.3,0", "0;-1,0,1"),
            [(1, 0, 0), (0.5, 0, 0), (0.2, 1, 0), (0, 0, -1), (0, 0.3, 0), (0, 0, 1)],
        ),
    ],
)
def test_strengths_of_two_phases_are_in_force(
    watch: Watch,
    lora_paths: tuple[Path, ...],
    multipliers: Sequence[str],
    expected: Sequence[Sequence[float]],
) -> None:
    """Measured at every call, in both passes; a list has one strength a step."""
    config = _config((3, 3), dict(zip(lora_paths, multipliers, strict=True)), guidance=(3, 2))
    watched = watch({"phase_config": config})
    assert [{call.strengths for call in calls} for calls in watched.steps] == [
        {strengths} for strengths in expected
    ]


@pytest.mark.parametrize(
    "override",
    [
        {"sample_solver": "unipc"},
        {"sample_solver": "causvid"},
        {"flow_shift": 12},
        {"sample_solver": "dpm++", "flow_shift": 0.37},
    ],
)
def test_thresholds_follow_the_solver_in_force(
    watch: Watch, lora_paths: tuple[Path, ...], override: dict[str, Any]
) -> None:
    """A task that overrides its phase config's solver or shift keeps the steps of the phases."""
    config = _config((3, 3), _marked(lora_paths, 2))
    watched = watch({"phase_config": config, **override})
    assert watched.counted == _asked(config, watched)
    assert watched.request.schedule.switch_threshold != 826.0999755859375


@pytest.mark.parametrize(
    ("solver", "thresholds", "phases"),
    [
        ("euler", (826.0999755859375,), [1, 1, 1, 2, 2, 2]),
        # Another solver's steps lie elsewhere: what splits euler in half does not split these.
        ("unipc", (826.0999755859375,), [1, 1, 1, 1, 2, 2]),
        ("dpm++", (826.0999755859375,), [1, 1, 1, 1, 2, 2]),
        # A step whose timestep is the threshold belongs to the next phase.
        ("euler", (882.52587890625,), [1, 1, 2, 2, 2, 2]),
        ("euler", (882.5257,), [1, 1, 1, 2, 2, 2]),
        ("euler", (1000,), [2] * 6),
        ("euler", (0,), [1] * 6),
        ("euler", (883, 558), [1, 1, 2, 2, 3, 3]),
        ("euler", (556.7879028320312, 556.7879028320312), [1, 1, 1, 1, 3, 3]),
        ("euler", (1000, 0), [2] * 6),
        ("euler", (1000, 1000), [3] * 6),
    ],
)
def test_thresholds_alone_make_the_phases(
    watch: Watch,
    lora_paths: tuple[Path, ...],
    solver: str,
    thresholds: Sequence[float],
    phases: Sequence[int],
) -> None:
    """Without a phase config a phase ends at the first timestep at or under its threshold."""
    watched = watch(
        {
            "guidance_phases": 1 + len(thresholds),
            "guidance_scale": 1,
            "model_switch_phase": 1,
            "num_inference_steps": 6,
            "flow_shift": 5,
            "sample_solver": solver,
            **dict(zip(("switch_threshold", "switch_threshold2"), thresholds, strict=False)),
            "activated_loras": [str(lora_paths[MARK])],
            "loras_multipliers": ["1;2;3"[: 1 + 2 * len(thresholds)]],
        }
    )
    assert [(call.expert, call.strengths[MARK]) for call in watched.calls] == [
        ("low" if phase > 1 else "high", phase) for phase in phases
    ]
