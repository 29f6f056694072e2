"""The linear codec: blocks of pixels there and back, and the places beside them."""

from pathlib import Path

import pytest
import torch

from worker.engines.patch_codec import PLACES, PatchCodec

SIDE, FRAMES, HEIGHT, WIDTH = 4, 9, 8, 12
ALL_OF_A_BLOCK = 3 * SIDE * SIDE * 4


@pytest.fixture
def codec() -> PatchCodec:
    """Return a codec with as many components as a block has numbers: it loses nothing."""
    whole = PatchCodec(z_dim=ALL_OF_A_BLOCK + PLACES, scale_factor_spatial=SIDE)
    first = ALL_OF_A_BLOCK // 4
    whole.first[:first] = _turn(first)
    whole.later.copy_(_turn(ALL_OF_A_BLOCK))
    return whole


def _turn(size: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=_lot()))[0]


def _lot() -> torch.Generator:
    return torch.Generator().manual_seed(26)


def _video(frames: int = FRAMES) -> torch.Tensor:
    return torch.rand(2, 3, frames, HEIGHT, WIDTH, generator=_lot()) * 2 - 1


@pytest.mark.parametrize("frames", [1, 5, FRAMES])
def test_decoding_gives_back_what_was_encoded(codec: PatchCodec, frames: int) -> None:
    """With all components the video is the same, whatever its length."""
    video = _video(frames)
    decoded = codec.decode(codec.encode(video).latents, return_dict=False)[0]
    torch.testing.assert_close(decoded, video, atol=1e-4, rtol=0)


def test_latents_are_one_a_block(codec: PatchCodec) -> None:
    """The first frame has latents of its own, and so has each four frames after it."""
    shape = codec.encode(_video()).latents.shape
    assert shape == (2, ALL_OF_A_BLOCK + PLACES, 3, HEIGHT // SIDE, WIDTH // SIDE)


def test_last_channels_say_where_a_block_is(codec: PatchCodec) -> None:
    """Time, height and width run from -1 to 1; of one frame alone the time is 0."""
    time, down, across = codec.encode(_video()).latents[0, -PLACES:][:3]
    assert time[:, 0, 0].tolist() == [-1, 0, 1]
    assert down[0, :, 0].tolist() == [-1, 1]
    assert across[0, 0].tolist() == [-1, 0, 1]
    assert not codec.encode(_video(1)).latents[0, -PLACES].any()


def test_places_are_not_decoded(codec: PatchCodec) -> None:
    """Whatever stands in those channels, the video is the same."""
    latents = codec.encode(_video()).latents
    decoded = codec.decode(latents).sample
    latents[:, -PLACES:] = 9
    assert torch.equal(codec.decode(latents).sample, decoded)


def test_saved_codec_is_the_same(codec: PatchCodec, tmp_path: Path) -> None:
    """A folder holds all of it."""
    codec.save_pretrained(tmp_path)
    again = PatchCodec.from_pretrained(tmp_path)
    assert dict(again.config)["scale_factor_spatial"] == SIDE
    assert torch.equal(again.encode(_video()).latents, codec.encode(_video()).latents)
