"""How pictures are brought to the frame's size, and texts to the model's length."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from worker.engines.base import Inputs
from worker.engines.conditioning import cover
from worker.engines.diffusers_wan import DiffusersWanEngine


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


@pytest.mark.parametrize(
    ("length", "guidance", "cut"),
    [(511, 3.0, []), (512, 3.0, ["prompt", "negative prompt"]), (512, 1.0, ["prompt"])],
)
def test_a_text_that_is_cut_is_told(
    text_engine: DiffusersWanEngine,
    make: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    length: int,
    guidance: float,
    cut: list[str],
) -> None:
    """The tiny tokenizer has a token a byte and one for the end; a text that is not read is not."""
    request = make.request(model="tiny_t2v", phases=[(1, guidance, "high")], prompt="a" * length)
    request = replace(request, negative_prompt=request.prompt)
    text_engine.generate(request, Inputs(), make.observer())
    assert [
        record.getMessage() for record in caplog.records if "tokens" in record.getMessage()
    ] == [
        f"the {which} has 513 tokens and the model reads the first 512; shorten it" for which in cut
    ]
