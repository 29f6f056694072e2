"""LoRA files in the two experts."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from worker.engines.base import Inputs, LoraFile
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.errors import EngineError, InputError

PHASES = [(2, 1.0, "high"), (2, 1.0, "low")]


@pytest.fixture
def render(engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs) -> Any:
    """Give a function that renders with LoRAs and returns the frames."""

    def rendered(*loras: LoraFile) -> "np.ndarray[Any, Any]":
        request = make.request(phases=PHASES, loras=loras)
        inputs = Inputs(start_image=pictures.start_image, loras=loras)
        return engine.generate(request, inputs, make.observer()).frames

    return rendered


def _transformers(engine: DiffusersWanEngine) -> tuple[Any, Any]:
    assert engine._loaded is not None
    pipeline = engine._loaded._pipeline
    return pipeline.transformer, pipeline.transformer_2


def _adapters(transformer: Any) -> int:
    return len(getattr(transformer, "peft_config", {}))


def test_a_lora_changes_the_video(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """A LoRA has an effect, and another at another strength."""
    plain, whole, half = (
        render(*loras)
        for loras in (
            (),
            (make.lora(lora_paths[0], [1.0] * 4),),
            (make.lora(lora_paths[0], [0.5] * 4),),
        )
    )
    assert (plain != whole).any()
    assert (whole != half).any()


def test_strength_may_differ_in_every_step(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """A strength in one step of an expert counts in that step alone."""
    first, second, both = (
        render(make.lora(lora_paths[1], strengths))
        for strengths in ([1.0, 0, 0, 0], [0, 1.0, 0, 0], [1.0, 1.0, 0, 0])
    )
    assert (first != second).any()
    assert (first != both).any()
    assert (second != both).any()


def test_strength_0_everywhere_is_no_lora(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """All strengths 0 gives the video without it, to the bit."""
    assert (render() == render(make.lora(lora_paths[0], [0.0] * 4))).all()


def test_after_a_lora_a_task_without_it_is_as_before(
    engine: DiffusersWanEngine, render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """Nothing of one task's LoRAs is left for the next: neither effect nor layers."""
    before = render()
    render(*(make.lora(path, [1.0, 1.0, 0.7, 0.7]) for path in lora_paths))
    assert (render() == before).all()
    assert [_adapters(part) for part in _transformers(engine)] == [0, 0]


def test_is_loaded_only_into_the_experts_that_use_it(
    engine: DiffusersWanEngine, render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """A LoRA with strength 0 in all low-noise steps is not loaded into the low-noise expert."""
    render(make.lora(lora_paths[0], [1.2, 1.2, 0, 0]), make.lora(lora_paths[1], [1.05] * 4))
    assert [_adapters(part) for part in _transformers(engine)] == [2, 1]


@pytest.mark.parametrize(("switch", "loaded"), [(1, [1, 3]), (2, [2, 2])])
def test_of_three_phases_each_expert_loads_what_its_own_use(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    lora_paths: tuple[Path, ...],
    switch: int,
    loaded: list[int],
) -> None:
    """'1;0.5;0', '0;0.5;1', '0;0;1': where the experts switch decides who loads which."""
    strengths = [(1, 0.5, 0), (0, 0.5, 1), (0, 0, 1)]
    loras = tuple(make.lora(*pair) for pair in zip(lora_paths, strengths, strict=True))
    phases = [(1, 1.0, "low" if phase > switch else "high") for phase in (1, 2, 3)]
    request = make.request(phases=phases, loras=loras)
    engine.generate(request, Inputs(start_image=pictures.start_image, loras=loras), make.observer())
    assert [_adapters(part) for part in _transformers(engine)] == loaded


@pytest.mark.parametrize("strength", [-100.0, 100.0])
def test_the_outermost_strengths_give_a_video(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...], strength: float
) -> None:
    """Nothing that a task may ask is more than the transformer's numbers hold."""
    assert render(make.lora(lora_paths[0], [strength] * 4)).std() > 5


def test_two_names_of_one_file_may_cancel_out(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...], tmp_path: Path
) -> None:
    """1 and -1 of the same file are no LoRA."""
    other = tmp_path / "other.safetensors"
    other.symlink_to(lora_paths[0])
    cancelled = render(make.lora(lora_paths[0], [1.0] * 4), make.lora(other, [-1.0] * 4))
    assert (cancelled == render()).all()


def test_stays_loaded_for_the_next_task(
    engine: DiffusersWanEngine, render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """The same file is not loaded again: the adapter's tensors are the same objects."""

    def tensors() -> set[int]:
        high = _transformers(engine)[0]
        return {id(value) for name, value in high.named_parameters() if "lora_" in name}

    first = render(make.lora(lora_paths[0], [1.0] * 4))
    loaded = tensors()
    assert (render(make.lora(lora_paths[0], [1.0] * 4)) == first).all()
    assert loaded
    assert tensors() == loaded


def test_a_replaced_file_is_loaded_anew(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...], tmp_path: Path
) -> None:
    """Another content under the same path has its own effect."""
    path = tmp_path / "mine.safetensors"
    shutil.copy(lora_paths[0], path)
    os.utime(path, ns=(1, 1))
    first = render(make.lora(path, [1.0] * 4))
    shutil.copy(lora_paths[1], path)
    os.utime(path, ns=(2, 2))
    second = render(make.lora(path, [1.0] * 4))
    assert (first != second).any()
    assert (second == render(make.lora(lora_paths[1], [1.0] * 4))).all()


def test_a_file_named_twice_counts_twice(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """The same file with 0.5 and 0.7 is the file with 1.2."""
    twice = render(make.lora(lora_paths[0], [0.5] * 4), make.lora(lora_paths[0], [0.7] * 4))
    once = render(make.lora(lora_paths[0], [1.2] * 4))
    assert np.abs(twice.astype(int) - once.astype(int)).max() <= 1


def test_original_wan_names_are_understood(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...], tmp_path: Path
) -> None:
    """A file with the names of Wan's own code, as most LoRAs have, is the same LoRA."""
    theirs = {"attn1": "self_attn", "attn2": "cross_attn", "to_q": "q", "to_k": "k", "to_v": "v"}
    renamed = {}
    for name, value in load_file(lora_paths[0]).items():
        original = name.replace("transformer.", "diffusion_model.").replace("to_out.0", "o")
        for ours, their in theirs.items():
            original = original.replace(ours, their)
        renamed[original] = value
    path = tmp_path / "original.safetensors"
    save_file(renamed, path)
    assert (render(make.lora(path, [1.0] * 4)) == render(make.lora(lora_paths[0], [1.0] * 4))).all()


def _not_safetensors(path: Path, _good: Path) -> None:
    path.write_bytes(b"<html>404</html>")


def _cut_off(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[:2000])


def _other_width(path: Path, good: Path) -> None:
    save_file({name: torch.zeros(4, 4) for name in load_file(good)}, path)


def _other_model(path: Path, good: Path) -> None:
    tensors = load_file(good).items()
    renamed = {
        name.replace("transformer.blocks", "unet.mid_block"): value for name, value in tensors
    }
    save_file(renamed, path)


def _no_lora(path: Path, _good: Path) -> None:
    save_file({"weight": torch.zeros(2, 2)}, path)


@pytest.mark.parametrize(
    "spoil", [_not_safetensors, _cut_off, _other_width, _other_model, _no_lora]
)
def test_a_bad_file_is_refused_by_name_and_leaves_nothing(
    engine: DiffusersWanEngine,
    render: Any,
    make: SimpleNamespace,
    lora_paths: tuple[Path, ...],
    tmp_path: Path,
    spoil: Any,
) -> None:
    """A file that cannot be used fails its task, and the next task is as if it had not been."""
    good = make.lora(lora_paths[0], [1.0] * 4)
    before, bad = render(good), tmp_path / "bad.safetensors"
    spoil(bad, lora_paths[0])
    with pytest.raises(InputError, match=r"bad\.safetensors"):
        render(good, make.lora(bad, [1.0] * 4))
    assert (render(good) == before).all()
    assert [_adapters(part) for part in _transformers(engine)] == [1, 1]


def test_a_bad_first_file_leaves_nothing(
    engine: DiffusersWanEngine,
    render: Any,
    make: SimpleNamespace,
    tmp_path: Path,
    lora_paths: tuple[Path, ...],
) -> None:
    """With no LoRA loaded before, a file that does not fit leaves the transformer untouched."""
    before, bad = render(), tmp_path / "bad.safetensors"
    _other_width(bad, lora_paths[0])
    with pytest.raises(InputError, match="does not fit the model's transformer"):
        render(make.lora(bad, [1.0] * 4))
    assert (render() == before).all()
    assert [_adapters(part) for part in _transformers(engine)] == [0, 0]


def test_a_missing_file_is_refused_by_name(
    render: Any, make: SimpleNamespace, tmp_path: Path
) -> None:
    """A LoRA that is not there fails the task; nothing is rendered without it."""
    with pytest.raises(InputError, match=r"gone\.safetensors.*No such file"):
        render(make.lora(tmp_path / "gone.safetensors", [1.0] * 4))


def test_strengths_for_another_number_of_steps_are_refused(
    render: Any, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """Strengths must be one a step."""
    with pytest.raises(EngineError, match="strengths for 3 steps and the schedule has 4"):
        render(make.lora(lora_paths[0], [1.0] * 3))
