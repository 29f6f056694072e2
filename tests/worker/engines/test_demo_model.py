"""The model that ships for the demo: it moves a shape from one picture to another, as one sees."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.demo_training.evaluation import RANDOM_MODEL, cross_fade, engine_of, generate, held_out
from tools.demo_training.measures import Measures, measure
from worker.demo.scenes import FRAMES, HEIGHT, WIDTH, Effects, Scene, clip
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.weights import SHIPPED

PAIRS = 6
LORAS = SHIPPED / "shapes_loras"
# What the high-noise expert has laid out, the low-noise one keeps.
ORDER = ("0;0", "0;1", "1;0", "1;1")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> DiffusersWanEngine:
    """Return an engine that has nothing but what ships with the worker."""
    return engine_of(tmp_path_factory.mktemp("no-models"))


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Scene, Scene]]:
    """Return pictures that training never saw."""
    return held_out(PAIRS)


@pytest.fixture(scope="module")
def videos(shapes: DiffusersWanEngine, pairs: list[tuple[Scene, Scene]]) -> list[Any]:
    """Return what the model makes of them."""
    return [generate(shapes, *pair, seed=index) for index, pair in enumerate(pairs)]


@pytest.fixture(scope="module")
def trained(videos: list[Any], pairs: list[tuple[Scene, Scene]]) -> list[Measures]:
    """Measure them."""
    return _measured(videos, pairs)


@pytest.fixture(scope="module")
def faded(pairs: list[tuple[Scene, Scene]]) -> list[Measures]:
    """Measure the cross-fade of the same pictures."""
    return _measured([cross_fade(*pair) for pair in pairs], pairs)


@pytest.fixture(scope="module")
def random(models_dir: Path, pairs: list[tuple[Scene, Scene]]) -> list[Measures]:
    """Measure what random weights make of some of the same pictures: noise, whichever they are."""
    engine, some = engine_of(models_dir), pairs[:2]
    made = [generate(engine, *pair, model=RANDOM_MODEL) for pair in some]
    return _measured(made, some)


def _measured(videos: list[Any], pairs: list[tuple[Scene, Scene]]) -> list[Measures]:
    rows = zip(videos, pairs, strict=True)
    return [measure(video, clip(*pair), pair[0]) for video, pair in rows]


def _mean(measured: list[Measures], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in measured]))


def test_video_begins_and_ends_with_the_pictures(
    trained: list[Measures], random: list[Measures]
) -> None:
    """Both ends are near the pictures: nearer than a twentieth of what random weights make."""
    assert _mean(trained, "ends") < 0.015
    assert _mean(trained, "ends") < 0.05 * _mean(random, "ends")


def test_there_is_one_shape_in_every_frame(trained: list[Measures], faded: list[Measures]) -> None:
    """No ghost and no hole: a cross-fade shows two."""
    assert sum(one.blobs == 1 for one in trained) >= PAIRS - 1
    assert all(one.blobs > 1 for one in faded)


def test_shape_goes_its_way_smoothly(trained: list[Measures], faded: list[Measures]) -> None:
    """The centre goes on, hardly ever back, and keeps near the eased way; a cross-fade's jumps."""
    assert sum(one.forth for one in trained) >= PAIRS - 2
    assert _mean(trained, "astray") < 0.04
    assert _mean(trained, "astray") < 0.15 * _mean(faded, "astray")
    assert _mean(trained, "jerk") < 0.15 * _mean(faded, "jerk")


def test_colour_and_size_are_kept(trained: list[Measures], faded: list[Measures]) -> None:
    """The shape stays of one colour and of one size; that of a cross-fade fades."""
    assert _mean(trained, "colour") < 0.06
    assert _mean(trained, "colour") < 0.2 * _mean(faded, "colour")
    assert _mean(trained, "area") > 0.6
    assert _mean(trained, "area") > 2 * _mean(faded, "area")


def test_text_decides_the_way(shapes: DiffusersWanEngine, pairs: list[tuple[Scene, Scene]]) -> None:
    """What jumps goes higher than what glides, between the same pictures."""
    low_pair = max(pairs, key=lambda pair: pair[0].y + pair[1].y)
    heights = [
        _measured([generate(shapes, *low_pair, verb=verb)], [low_pair])[0].height
        for verb in ("glides", "jumps")
    ]
    assert heights[1] > heights[0] + 0.1


@pytest.mark.parametrize("effect", ["leap", "glow", "warm"])
def test_strength_of_a_lora_is_that_of_its_effect(
    shapes: DiffusersWanEngine, pairs: list[tuple[Scene, Scene]], effect: str
) -> None:
    """From 0 over 0.5 to 1 more of it is seen each time."""
    pair = max(pairs, key=lambda pair: pair[0].y + pair[1].y)
    seen = [_effect(shapes, pair, effect, f"{m};{m}") for m in (0, 0.5, 1)]
    assert seen[1] > seen[0] + 0.15
    assert seen[2] > seen[1] + 0.15


@pytest.mark.parametrize("effect", ["leap", "glow", "warm"])
def test_each_phase_has_a_strength_of_its_own(
    shapes: DiffusersWanEngine, pairs: list[tuple[Scene, Scene]], effect: str
) -> None:
    """In the second phase alone a LoRA shows least; in the first more; in both most."""
    pair = max(pairs, key=lambda pair: pair[0].y + pair[1].y)
    seen = [_effect(shapes, pair, effect, multipliers) for multipliers in ORDER]
    assert seen == sorted(seen)
    assert seen[2] > seen[1] + 0.1


def _effect(
    engine: DiffusersWanEngine, pair: tuple[Scene, Scene], effect: str, multipliers: str
) -> float:
    """Say how much of an effect is seen midway, 1 for what the LoRA was trained to show."""
    video = generate(engine, *pair, loras={LORAS / f"{effect}.safetensors": multipliers})
    assert video.shape == (FRAMES, HEIGHT, WIDTH, 3)
    plain, full = clip(*pair), clip(*pair, Effects(**{effect: 1.0}))
    towards = (full - plain)[4:13]
    return float(((video - plain)[4:13] * towards).sum() / (towards**2).sum())
