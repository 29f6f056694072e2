"""The scenes that the demo's model was trained on, and the demo's own four."""

from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np
import pytest
from PIL import Image

from worker.demo.scenes import (
    FRAMES,
    HEIGHT,
    SHAPES,
    WIDTH,
    Effects,
    Scene,
    clip,
    draw,
    random_pair,
)
from worker.demo.story import NAMES, PROMPTS, SCENES


@pytest.mark.parametrize("effects", [Effects(), Effects(leap=1, glow=1, warm=1)])
def test_clip_begins_and_ends_with_its_pictures(effects: Effects) -> None:
    """Whatever a clip shows on its way, the model is given its first and last frame."""
    first, last = random_pair(np.random.default_rng(26))
    frames = clip(first, last, effects)
    assert frames.shape == (FRAMES, HEIGHT, WIDTH, 3)
    for frame, scene in ((frames[0], first), (frames[-1], last)):
        assert np.abs(frame * 255 - np.asarray(draw(scene))).max() < 1


@pytest.mark.parametrize("shape", list(SHAPES))
def test_shape_is_where_its_scene_says(shape: str) -> None:
    """What differs from the sky has its middle there, and reaches no further than its size."""
    scene = replace(SCENES[0], shape=shape, x=0.5, y=0.5, top=(0, 0, 0), bottom=(0, 0, 0))
    rows, columns = np.nonzero(np.asarray(draw(scene)).sum(axis=2))
    assert abs(columns.mean() / WIDTH - 0.5) < 0.01
    assert abs(rows.mean() / HEIGHT - 0.5) < 0.05
    assert np.ptp(rows) / HEIGHT < 2.4 * scene.size


def test_same_lot_gives_the_same_pair() -> None:
    """A seed is all that a training clip depends on."""
    pairs = [random_pair(np.random.default_rng(7)) for _ in range(2)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize(("name", "scene"), list(zip(NAMES, SCENES, strict=True)))
def test_shipped_picture_is_its_scene(name: str, scene: Scene) -> None:
    """The four files are what the story says: `python -m tools.draw_story` draws them again."""
    with as_file(files("worker.demo") / "pictures" / f"{name}.png") as path:
        shipped = np.asarray(Image.open(path), dtype=int)
    height, width, _ = shipped.shape
    assert np.abs(shipped - np.asarray(draw(scene, width, height))).max() <= 1


def test_story_has_a_text_between_two_pictures() -> None:
    """Three texts for four pictures."""
    assert len(PROMPTS) == len(SCENES) - 1
