"""Scenes of one simple shape before a soft sky: what the demo's model was trained to move."""

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT, FRAMES, FPS = 256, 192, 17, 12.0

Array = np.ndarray[Any, Any]
Colour = tuple[float, float, float]

# Red, green, blue, 0 … 1.
COLOURS = MappingProxyType(
    {
        "red": (0.88, 0.22, 0.20),
        "orange": (0.96, 0.54, 0.14),
        "yellow": (0.98, 0.84, 0.24),
        "green": (0.26, 0.70, 0.36),
        "blue": (0.20, 0.44, 0.90),
        "purple": (0.56, 0.32, 0.82),
        "pink": (0.95, 0.46, 0.68),
    }
)
# The path of one that jumps is this much of the frame's height above the straight one, midway.
LEAP = 0.30
_EDGE = 0.1  # width of a shape's soft edge, of the frame's height
_MARGIN = 0.03
_CONTRAST = 0.35
_WARM = np.array((1.0, 0.62, 0.30), dtype=np.float32)
_CANDIDATES = 50
_APART = 0.3  # at least, of the frame's sides
_CHANGING = 0.6  # part of the pairs between which the sky changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture: one shape before a sky.

    Attributes:
        shape: One of `SHAPES`.
        colour: One of `COLOURS`.
        x: The shape's centre, from the left, as a part of the width.
        y: From the top, as a part of the height.
        size: Half the shape's height, as a part of the frame's.
        top: The sky's colour at the top edge.
        bottom: And at the bottom edge.
    """

    shape: str
    colour: str
    x: float
    y: float
    size: float
    top: Colour
    bottom: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a clip shows beside the straight way, 0 … 1 each; nothing of it at either end.

    Attributes:
        leap: The path bends up.
        glow: A light stands around the shape.
        warm: The picture turns golden.
    """

    leap: float = 0.0
    glow: float = 0.0
    warm: float = 0.0


PLAIN = Effects()


def draw(scene: Scene, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Draw a scene as a picture."""
    return as_picture(_frame(scene, PLAIN, 0.0, width, height))


def as_picture(frame: Array) -> Image.Image:
    """Turn numbers of 0 … 1, (height, width, 3), into a picture."""
    return Image.fromarray(np.rint(frame.clip(0, 1) * 255).astype(np.uint8))


def clip(
    first: Scene,
    last: Scene,
    effects: Effects = PLAIN,
    frames: int = FRAMES,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Array:
    """Draw the way from one scene to another: (frames, height, width, 3), 0 … 1.

    The shape starts and comes to rest gently; the sky turns from the one into the other.
    """
    drawn = []
    for index in range(frames):
        share = index / (frames - 1)
        scene = between(first, last, share, effects.leap)
        drawn.append(_frame(scene, effects, math.sin(math.pi * share), *size))
    return np.stack(drawn)


def between(first: Scene, last: Scene, share: float, leap: float = 0.0) -> Scene:
    """Return the scene at a share of the time, 0 … 1."""
    eased = share * share * (3 - 2 * share)
    y = _mix(first.y, last.y, eased) - leap * LEAP * 4 * eased * (1 - eased)
    return replace(
        first,
        x=_mix(first.x, last.x, eased),
        y=max(y, first.size + _MARGIN),
        size=_mix(first.size, last.size, eased),
        top=_mix_colours(first.top, last.top, share),
        bottom=_mix_colours(first.bottom, last.bottom, share),
    )


def random_pair(random: np.random.Generator) -> tuple[Scene, Scene]:
    """Draw by lot two scenes of one shape, some way apart; it stands out from both skies."""
    shape, colour = str(random.choice(list(SHAPES))), str(random.choice(list(COLOURS)))
    size = float(random.uniform(0.17, 0.21))
    places = [_place(random, size) for _ in range(2)]
    while math.dist(*places) < _APART:
        places = [_place(random, size) for _ in range(2)]
    first_sky = _sky(random, colour)
    last_sky = _sky(random, colour) if random.random() < _CHANGING else first_sky
    first, last = (
        Scene(shape=shape, colour=colour, x=x, y=y, size=size, top=sky[0], bottom=sky[1])
        for (x, y), sky in zip(places, (first_sky, last_sky), strict=True)
    )
    return first, last


def describe(first: Scene, last: Scene, verb: str = "glides") -> str:
    """Say in words what moves where; the model was trained on texts like this one."""
    across = "right" if last.x > first.x else "left"
    return f"a {first.colour} {first.shape} {verb} to the {across}"


def _place(random: np.random.Generator, size: float) -> tuple[float, float]:
    inset = size * HEIGHT / WIDTH
    return (
        float(random.uniform(inset + _MARGIN, 1 - inset - _MARGIN)),
        float(random.uniform(size + _MARGIN, 1 - size - _MARGIN)),
    )


def _sky(random: np.random.Generator, colour: str) -> tuple[Colour, Colour]:
    """Draw two colours by lot, again while the shape would not stand out from one of them."""
    for _ in range(_CANDIDATES):
        hue, value = random.random(), random.uniform(0.12, 1.0)
        top, bottom = (
            colorsys.hsv_to_rgb(
                (hue + random.uniform(-0.12, 0.12)) % 1,
                random.uniform(0.15, 0.6),
                min(1.0, max(0.08, value + random.uniform(-0.25, 0.25))),
            )
            for _ in range(2)
        )
        if all(math.dist(sky, COLOURS[colour]) > _CONTRAST for sky in (top, bottom)):
            break
    return top, bottom


def _frame(scene: Scene, effects: Effects, strength: float, width: int, height: int) -> Array:
    """Draw one frame; `strength` is how much of the effects it shows."""
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    top, bottom = (np.array(sky, dtype=np.float32) for sky in (scene.top, scene.bottom))
    frame = np.repeat((top + (bottom - top) * share)[:, None], width, axis=1)
    _paint(frame, scene, effects.glow * strength)
    if effects.warm:
        light = frame.mean(axis=2, keepdims=True)
        golden = (0.25 + 0.75 * light) * _WARM
        frame += 0.6 * effects.warm * strength * (golden - frame)
    return frame


def _paint(frame: Array, scene: Scene, glow: float) -> None:
    """Paint the shape, and the light around it, into the part of the frame that they reach."""
    height, width = frame.shape[:2]
    reach = scene.size * (2.4 if glow else 1.5) * height
    rows, columns = (
        slice(max(0, int(centre - reach)), min(side, int(centre + reach) + 1))
        for centre, side in ((scene.y * height, height), (scene.x * width, width))
    )
    down, right = np.mgrid[rows, columns].astype(np.float32) + np.float32(0.5)
    v, u = ((down / height - scene.y) / scene.size, (right - scene.x * width) / height / scene.size)
    part = frame[rows, columns]
    if glow:
        halo = np.exp(-((np.hypot(u, v) / 1.25) ** 4))[..., None].astype(np.float32)
        part += 0.75 * glow * halo * (np.array((1.0, 0.97, 0.85), dtype=np.float32) - part)
    distance = SHAPES[scene.shape](u, v) * scene.size / _EDGE
    cover = np.clip(0.5 - distance, 0, 1)[..., None].astype(np.float32)
    cover *= cover * (3 - 2 * cover)
    part += cover * (_shaded(COLOURS[scene.colour], u, v) - part)


def _shaded(colour: Colour, u: Array, v: Array) -> Array:
    """Light the shape from above, on the left."""
    light = np.exp(-(((u + 0.35) ** 2 + (v + 0.4) ** 2) / 0.5))[..., None]
    shade = (0.10 * (u + v))[..., None]
    base = np.array(colour, dtype=np.float32) * (1 - shade.clip(0, None))
    lit: Array = (base + 0.30 * light * (1 - base)).astype(np.float32)
    return lit


def _ball(u: Array, v: Array) -> Array:
    outside: Array = np.hypot(u, v) - 0.95
    return outside


def _square(u: Array, v: Array) -> Array:
    across, down = (np.abs(side) - 0.62 for side in (u, v))
    beyond = np.hypot(across.clip(0, None), down.clip(0, None))
    outside: Array = beyond + np.minimum(np.maximum(across, down), 0) - 0.18
    return outside


def _triangle(u: Array, v: Array) -> Array:
    sides = [np.cos(turn) * u + np.sin(turn) * (v - 0.15) for turn in _turns(3)]
    outside: Array = np.maximum.reduce(sides) - 0.55
    return outside


def _turns(count: int) -> list[float]:
    return [math.pi / 2 + 2 * math.pi * index / count for index in range(count)]


# How far outside the shape's edge a point is, of a shape of size 1; negative inside.
SHAPES: "MappingProxyType[str, Callable[[Array, Array], Array]]" = MappingProxyType(
    {"ball": _ball, "square": _square, "triangle": _triangle}
)


def _mix(first: float, last: float, share: float) -> float:
    return first + (last - first) * share


def _mix_colours(first: Colour, last: Colour, share: float) -> Colour:
    red, green, blue = (_mix(a, b, share) for a, b in zip(first, last, strict=True))
    return red, green, blue
