"""Draws the demo's four pictures: one lake at dawn, noon, dusk and night.

Run by hand, from the root of the checkout: .venv/bin/python tools/draw_pictures.py
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

WIDTH, HEIGHT = 320, 192
SCALE = 3  # drawn larger and scaled down, which smooths every edge
HORIZON = 0.62
FOLDER = Path(__file__).parents[1] / "worker" / "demo" / "pictures"

Colour = tuple[int, int, int]
Array = np.ndarray[Any, Any]

# Name: sky at the top, sky at the horizon, light's colour, its place and radius, far hills, near.
HOURS: dict[str, tuple[Colour, Colour, Colour, float, float, float, Colour, Colour]] = {
    "1-dawn": (
        *((78, 96, 158), (250, 186, 150), (255, 226, 178)),
        *(0.18, 0.50, 0.052),
        *((126, 104, 142), (58, 58, 92)),
    ),
    "2-noon": (
        *((46, 122, 204), (190, 226, 244), (255, 250, 224)),
        *(0.42, 0.18, 0.048),
        *((98, 142, 150), (44, 98, 82)),
    ),
    "3-dusk": (
        *((66, 46, 110), (248, 134, 82), (255, 196, 116)),
        *(0.70, 0.47, 0.060),
        *((112, 62, 102), (48, 34, 66)),
    ),
    "4-night": (
        *((8, 12, 34), (38, 54, 98), (238, 240, 252)),
        *(0.84, 0.20, 0.040),
        *((26, 34, 66), (12, 18, 38)),
    ),
}


def main() -> None:
    """Draw all four into the package."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in HOURS:
        draw(name).save(FOLDER / f"{name}.png", optimize=True)


def draw(name: str) -> Image.Image:
    """Draw one hour of the day."""
    top, low, glow, x, y, radius, far, near = HOURS[name]
    height, width = HEIGHT * SCALE, WIDTH * SCALE
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    v, u = rows / height, columns / width
    picture = mix(colour(top), colour(low), np.clip(v / HORIZON, 0, 1)[..., None] ** 1.3)
    if name.endswith("night"):
        picture = stars(picture, v)
    distance = np.hypot((u - x) * WIDTH / HEIGHT, v - y)
    halo = 0.75 * np.exp(-((distance / (radius * 3.2)) ** 2))
    picture = mix(picture, colour(glow), halo[..., None])
    picture = mix(picture, colour(glow), (distance < radius)[..., None].astype(float))
    for base, swing, beat, shade in ((0.50, 0.055, 2.1, far), (0.575, 0.035, 3.7, near)):
        ridge = base + swing * np.sin(u * 6.28 * beat / 2 + base * 40) * np.cos(u * 9.1 + base * 7)
        picture[(v > ridge) & (v <= HORIZON)] = shade
    return lake(picture, colour(glow), x)


def lake(picture: Array, glow: Array, x: float) -> Image.Image:
    """Mirror what lies above the shore into the water, with ripples and the light's path."""
    height, width = picture.shape[:2]
    shore = int(HORIZON * height)
    for row in range(shore, height):
        depth = (row - shore) / (height - shore)
        source = max(0, shore - 1 - int((row - shore) * 1.45))
        shift = round(3 * SCALE * depth * np.sin(row * 0.55 / SCALE * (1.4 - depth * 0.6)))
        water = np.roll(picture[source], shift, axis=0) * (0.86 - 0.28 * depth)
        columns = np.arange(width) / width
        spread = 0.012 + 0.05 * depth
        path = 0.5 * np.exp(-(((columns - x) / spread) ** 2)) * (0.5 + 0.5 * np.sin(row * 0.8))
        picture[row] = mix(water, glow, path[:, None])
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(SCALE * 0.3))
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def stars(picture: Array, v: Array) -> Array:
    """Scatter stars over the sky, the same ones each time."""
    random = np.random.default_rng(26)
    lights = np.zeros(v.shape)
    for _ in range(90):
        row, column = random.integers(0, int(v.shape[0] * 0.45)), random.integers(0, v.shape[1])
        lights[row : row + 2, column : column + 2] = random.uniform(0.3, 1.0)
    return mix(picture, colour((240, 244, 255)), lights[..., None])


def colour(value: Colour) -> Array:
    """Make a colour that arrays can be mixed with."""
    return np.array(value, dtype=np.float64)


def mix(first: Array, second: Array, share: Array) -> Array:
    """Blend from `first` (share 0) to `second` (share 1)."""
    blended: Array = first * (1 - share) + second * share
    return blended


if __name__ == "__main__":
    main()
