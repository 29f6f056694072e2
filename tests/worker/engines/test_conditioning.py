"""How pictures are brought to the frame's size."""

import numpy as np
import pytest
from PIL import Image

from worker.engines.conditioning import cover


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
