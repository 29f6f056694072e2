"""What an engine is given to start from: whether its model takes it, and at the frame's size."""

import subprocess
import sys
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from worker.engines.base import Inputs, ModelDefinition
from worker.engines.pictures import check_inputs, cover
from worker.errors import EngineError

PICTURE = Image.new("RGB", (16, 16))


def definition(kind: str) -> ModelDefinition:
    """Make the definition of a model of a kind."""
    return ModelDefinition(
        name="m",
        engine="e",
        kind=kind,
        title="",
        weights="",
        fps=8.0,
        defaults=MappingProxyType({}),
    )


@pytest.mark.parametrize(
    ("kind", "prompt", "inputs"),
    [
        ("i2v", "", Inputs(start_image=PICTURE)),
        ("i2v", "a", Inputs(start_image=PICTURE, end_image=PICTURE)),
        ("t2v", "a", Inputs()),
        ("ti2v", "a", Inputs()),
        ("ti2v", "", Inputs(start_image=PICTURE)),
        ("ti2v", "a", Inputs(start_image=PICTURE, end_image=PICTURE)),
    ],
)
def test_a_model_takes_what_its_kind_says(
    make: SimpleNamespace, kind: str, prompt: str, inputs: Inputs
) -> None:
    """Nothing is raised."""
    check_inputs(make.request(prompt=prompt), definition(kind), inputs)


@pytest.mark.parametrize(
    ("kind", "prompt", "inputs", "words"),
    [
        ("i2v", "a", Inputs(), "got no start image"),
        ("i2v", "a", Inputs(end_image=PICTURE), "got no start image"),
        ("t2v", "a", Inputs(start_image=PICTURE), "cannot take a start or end image"),
        ("t2v", "a", Inputs(end_image=PICTURE), "cannot take a start or end image"),
        ("ti2v", "", Inputs(), "neither a prompt nor a start image"),
    ],
)
def test_a_model_refuses_what_its_kind_cannot_start_from(
    make: SimpleNamespace, kind: str, prompt: str, inputs: Inputs, words: str
) -> None:
    """Before anything is computed."""
    with pytest.raises(EngineError, match=words):
        check_inputs(make.request(prompt=prompt), definition(kind), inputs)


def test_no_torch_is_needed_for_it() -> None:
    """Engines of other interpreters use it."""
    code = "import sys, worker.engines.pictures; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (160, 96), (7, 5), (4000, 30)])
def test_cover_gives_the_frames_size(size: tuple[int, int]) -> None:
    """Whatever the picture's shape, the result is exactly the frame's."""
    assert cover(Image.new("RGB", size), 160, 96).size == (160, 96)


def test_cover_cuts_both_sides_evenly_and_does_not_squeeze() -> None:
    """Of a wide picture with red and blue ends the middle stays, at its own proportions."""
    wide = np.zeros((96, 480, 3), dtype=np.uint8)
    wide[:, :160], wide[:, 160:320], wide[:, 320:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    fitted = np.asarray(cover(Image.fromarray(wide), 160, 96))
    assert (fitted == (0, 255, 0)).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_cover_gives_rgb(mode: str) -> None:
    """Pictures of other modes become RGB."""
    assert cover(Image.new(mode, (32, 32)), 16, 16).mode == "RGB"
