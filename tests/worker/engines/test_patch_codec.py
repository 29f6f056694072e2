"""The linear codec: blocks of pixels there and back, and the places beside them."""

from pathlib import Path

import pytest
import torch

from worker.engines.patch_codec import PLACES, PatchCodec

STEP, OVERLAP, FRAMES, HEIGHT, WIDTH = 4, 2, 9, 8, 12
ALL_OF_A_WINDOW = 3 * (STEP + 2 * OVERLAP) ** 2 * 4


@pytest.fixture
def codec() -> PatchCodec:
    """Return a codec with as many components as a window has numbers: it loses nothing."""
    return _whole()


def _whole(reduced: int = 1) -> PatchCodec:
    whole = PatchCodec(
        z_dim=ALL_OF_A_WINDOW + PLACES,
        scale_factor_spatial=STEP * reduced,
        overlap=OVERLAP,
        reduced=reduced,
    )
    first = ALL_OF_A_WINDOW // 4
    whole.first[:first] = _turn(first)
    whole.later.copy_(_turn(ALL_OF_A_WINDOW))
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


def test_latents_are_one_a_window(codec: PatchCodec) -> None:
    """The first frame has latents of its own, and so has each four frames after it."""
    shape = codec.encode(_video()).latents.shape
    assert shape == (2, ALL_OF_A_WINDOW + PLACES, 3, HEIGHT // STEP, WIDTH // STEP)


def test_what_is_wrong_in_a_window_fades_out_over_its_neighbours(codec: PatchCodec) -> None:
    """No pixel is far from those beside it, on this side of a window's edge or on that."""
    latents = codec.encode(torch.zeros_like(_video())).latents
    grey = codec.windows(torch.ones(1, 3, FRAMES - 1, HEIGHT, WIDTH))[0, 0, 0, 0]
    latents[0, :-PLACES, 1, 0, 1] += codec.later @ grey
    row = codec.decode(latents).sample[0, 0, 1, 1]
    assert row[0] == row[-1] == 0
    assert row.max() > 0.9
    assert row.diff().abs().max() < 0.5


def test_reduced_codec_makes_videos_of_the_size_it_was_given() -> None:
    """Two by two pixels are one to it; what is even comes back as it was."""
    codec, video = _whole(reduced=2), torch.full((1, 3, FRAMES, 2 * HEIGHT, 2 * WIDTH), 0.5)
    latents = codec.encode(video).latents
    assert latents.shape[-2:] == (HEIGHT // STEP, WIDTH // STEP)
    torch.testing.assert_close(codec.decode(latents).sample, video, atol=1e-4, rtol=0)


def test_last_channels_say_where_a_window_is(codec: PatchCodec) -> None:
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
    assert dict(again.config)["scale_factor_spatial"] == STEP
    assert torch.equal(again.encode(_video()).latents, codec.encode(_video()).latents)
