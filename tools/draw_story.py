"""Draws the four pictures of the demo's story into the package.

Run by hand, from the root of the checkout: .venv/bin/python -m tools.draw_story
"""

from pathlib import Path

from worker.demo import story
from worker.demo.scenes import draw

FOLDER = Path(story.__file__).parent / "pictures"
WIDTH, HEIGHT = 256, 192


def main() -> None:
    """Draw all four, twice the size of the video: the engine scales what it is given."""
    for name, scene in zip(story.NAMES, story.SCENES, strict=True):
        draw(scene, WIDTH, HEIGHT).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
