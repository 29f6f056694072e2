"""What is generated: what was asked, all of it, and nothing else."""

import numpy as np
import pytest

from tests.worker.engines.contract.driven import Driven, Watching, phases, picture
from tests.worker.engines.contract.subjects import LORAS, PICTURES, WORDS
from worker.video.files import read_frames
from worker.video.probing import probe_video


@pytest.mark.parametrize(("frames", "width", "height"), [(5, 64, 48), (9, 48, 80), (17, 80, 48)])
def test_frames_are_what_was_asked(driven: Driven, frames: int, width: int, height: int) -> None:
    """RGB in uint8, of exactly this number and this size, in which something is to be seen."""
    found = driven.frames(video_length=frames, resolution=f"{width}x{height}")
    assert found.dtype == np.uint8
    assert found.shape == (frames, height, width, 3)
    assert len(np.unique(found)) > 1


def test_its_own_encoding_is_of_these_frames(driven: Driven) -> None:
    """Where it has one: the handler keeps it in the frames' place."""
    request = driven.request()
    found = driven.generate(request)
    assert found.seconds_per_step >= 0
    if found.video is None:
        return
    facts = probe_video(found.video)
    assert (facts.frames, facts.fps) == (request.frames, request.fps)
    assert (facts.width, facts.height) == (request.width, request.height)
    assert (read_frames(found.video) == found.frames).all()


def test_pictures_that_are_told_of_early_are_those_that_are_returned(driven: Driven) -> None:
    """All of them, in order; or none, by an engine that has them all at once."""
    observer = Watching()
    found = driven.generate(observer=observer).frames
    if observer.pictures:
        assert (np.stack(observer.pictures) == found).all()


def test_another_rate_is_another_rate(driven: Driven) -> None:
    """As was asked, in its own encoding where it has one, and with no other number of frames."""
    request = driven.request(fps=8)
    found = driven.generate(request)
    assert len(found.frames) == request.frames
    if found.video is not None:
        assert probe_video(found.video).fps == 8


def test_the_same_request_gives_the_same_video(driven: Driven) -> None:
    """Whatever has been generated since."""
    assert (driven.frames() == driven.first).all()


@pytest.mark.needs(WORDS)
def test_another_seed_gives_another_video(driven: Driven) -> None:
    """The seed arrives."""
    assert (driven.frames(seed=6) != driven.first).any()


@pytest.mark.needs(WORDS)
def test_another_prompt_gives_another_video(driven: Driven) -> None:
    """The prompt arrives."""
    assert (driven.frames(prompt="a bridge at night") != driven.first).any()


@pytest.mark.needs(WORDS)
@pytest.mark.parametrize("guidance", [(5.0, 1.0), (3.0, 4.0)], ids=str)
def test_the_guidance_of_each_phase_counts(driven: Driven, guidance: tuple[float, ...]) -> None:
    """Of the first, and of a later one."""
    config = phases(2, 2, guidance=guidance)
    assert (driven.frames(phase_config=config) != driven.first).any()


@pytest.mark.needs(WORDS)
def test_the_place_of_the_switch_counts(driven: Driven) -> None:
    """The same steps, split elsewhere, give another video."""
    assert (driven.frames(phase_config=phases(1, 3)) != driven.first).any()


@pytest.mark.needs(PICTURES)
def test_the_start_picture_counts(driven: Driven) -> None:
    """Another one gives another video."""
    request = driven.request()
    inputs = driven.inputs(request, start_image=picture(turned=90))
    found = driven.engine.generate(request, inputs, Watching())
    assert (found.frames != driven.first).any()


@pytest.mark.needs(PICTURES)
def test_the_end_picture_counts(driven: Driven) -> None:
    """With one the video is another than without, and another than with another."""
    request = driven.request()
    one, other = (
        driven.engine.generate(
            request, driven.inputs(request, end_image=picture(turned=turned)), Watching()
        ).frames
        for turned in (90, 180)
    )
    assert (one != driven.first).any()
    assert (one != other).any()


@pytest.mark.needs(PICTURES)
def test_a_picture_may_be_of_any_size(driven: Driven) -> None:
    """The video has the size that was asked, and the picture is as it was."""
    request = driven.request()
    given = picture().resize((200, 75))
    found = driven.engine.generate(request, driven.inputs(request, start_image=given), Watching())
    assert found.frames.shape == driven.first.shape
    assert given.size == (200, 75)


@pytest.mark.needs(LORAS)
def test_a_lora_has_its_effect(driven: Driven) -> None:
    """And another at another strength."""
    [lora, *_] = driven.loras
    whole, half = (
        driven.frames(phase_config=phases(2, 2, loras={lora: text})) for text in ("1.2;1.2", ".5;0")
    )
    assert (whole != driven.first).any()
    assert (whole != half).any()


@pytest.mark.needs(LORAS)
def test_a_lora_acts_in_its_phases_alone(driven: Driven) -> None:
    """In the first, in the second, and in both are three videos; in none is none."""
    [lora, *_] = driven.loras
    plain = driven.frames(phase_config=phases(1, 3))
    first, second, both, none = (
        driven.frames(phase_config=phases(1, 3, loras={lora: text}))
        for text in ("1.2;0", "0;1.2", "1.2;1.2", "0;0")
    )
    assert (none == plain).all()
    assert (first != plain).any()
    assert (first != both).any()
    # An expert may be blind to one that was made for the other.
    assert (second != first).any()


@pytest.mark.needs(LORAS)
def test_a_lora_is_gone_with_its_request(driven: Driven) -> None:
    """Two in one request, none in the next."""
    config = phases(2, 2, loras=dict.fromkeys(driven.loras, "1.0;0.5"))
    assert (driven.frames(phase_config=config) != driven.first).any()
    assert (driven.frames() == driven.first).all()
    assert all(lora.is_file() for lora in driven.loras)
