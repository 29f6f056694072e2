"""Pipelines and LoRAs that are built from a seed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch

from worker.engines.catalog import Catalog
from worker.engines.tiny import LORA_NAMES, build_tiny_loras, build_tiny_pipeline

DEFINITION = Catalog.load().get("tiny_i2v")


def _contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Two machines that build the model have the same files, to the byte."""
    first = build_tiny_pipeline(DEFINITION, tmp_path / "one")
    second = build_tiny_pipeline(DEFINITION, tmp_path / "two")
    assert _contents(first) == _contents(second)
    assert "transformer_2/diffusion_pytorch_model.safetensors" in _contents(first)


def test_another_seed_is_another_model(tmp_path: Path) -> None:
    """The seed is in the folder's name and in the weights."""
    first = build_tiny_pipeline(DEFINITION, tmp_path)
    second = build_tiny_pipeline(replace(DEFINITION, seed=DEFINITION.seed + 1), tmp_path)
    weights = "transformer/diffusion_pytorch_model.safetensors"
    assert first != second
    assert (first / weights).read_bytes() != (second / weights).read_bytes()


def test_is_built_once(tmp_path: Path) -> None:
    """A model that is there is taken as it is."""
    folder = build_tiny_pipeline(DEFINITION, tmp_path)
    before = (folder / "model_index.json").stat().st_mtime_ns
    assert build_tiny_pipeline(DEFINITION, tmp_path) == folder
    assert (folder / "model_index.json").stat().st_mtime_ns == before


def test_what_a_killed_builder_left_is_removed(tmp_path: Path) -> None:
    """Its folder goes once no living builder can own it; a fresh one stays."""
    name = build_tiny_loras(tmp_path / "elsewhere")[0].parent.name
    old, fresh = tmp_path / f".{name}-old", tmp_path / f".{name}-fresh"
    old.mkdir()
    fresh.mkdir()
    os.utime(old, (0, 0))
    build_tiny_loras(tmp_path)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_two_processes_may_build_at_once(tmp_path: Path) -> None:
    """Two processes that start together both get the whole model, and leave nothing else."""
    code = (
        "import sys; from pathlib import Path; from worker.engines.catalog import Catalog;"
        "from worker.engines.tiny import build_tiny_pipeline;"
        "sys.stdin.readline();"
        "print(build_tiny_pipeline(Catalog.load().get('tiny_i2v'), Path(sys.argv[1])))"
    )
    builders = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = {builder.communicate("\n")[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    assert said == {str(folder) for folder in tmp_path.iterdir()}
    assert len(said) == 1


def test_building_leaves_the_random_state_alone(tmp_path: Path) -> None:
    """A task's own random numbers do not depend on whether a model was built before."""
    torch.manual_seed(3)
    expected = torch.rand(1).item()
    torch.manual_seed(3)
    build_tiny_pipeline(DEFINITION, tmp_path)
    assert torch.rand(1).item() == expected


def test_loras_are_three_seeded_files(tmp_path: Path) -> None:
    """The demo's LoRAs are the same bytes everywhere, and differ from each other."""
    first, second = build_tiny_loras(tmp_path / "one"), build_tiny_loras(tmp_path / "two")
    assert [path.stem for path in first] == list(LORA_NAMES)
    contents = [path.read_bytes() for path in first]
    assert contents == [path.read_bytes() for path in second]
    assert len(set(contents)) == 3
