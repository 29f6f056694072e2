"""Numbers that are none any more."""

import pytest
import torch

from worker.engines.finite import check_latents, check_video
from worker.errors import NotFinite
from worker.params.request import Step

STEP = Step(index=2, timestep=882.5, phase=2, guidance_scale=3.0, expert="low")
FINE = torch.zeros(4)
BROKEN = torch.tensor([1.0, float("nan"), float("inf"), 2.0])


def refused(
    step: Step = STEP,
    *,
    dtype: torch.dtype = torch.bfloat16,
    lora_scales: tuple[float, ...] = (),
    **went_in: torch.Tensor | None,
) -> NotFinite:
    """Check latents that are broken; return the refusal."""
    with pytest.raises(NotFinite) as caught:
        check_latents(BROKEN, step, 6, went_in=went_in, dtype=dtype, lora_scales=lora_scales)
    return caught.value


def test_latents_that_are_finite_pass() -> None:
    """Nothing else is looked at."""
    check_latents(FINE, STEP, 6, went_in={"x": BROKEN}, dtype=torch.float32, lora_scales=())


def test_the_refusal_names_the_step_and_how_much_is_broken() -> None:
    """Step, phase, expert, guidance and timestep are what people compare."""
    said = str(refused(prompt=FINE))
    assert "step 3 of 6 (phase 2, low-noise expert, guidance 3, timestep 882.5)" in said
    assert "2 of 4 numbers are not finite (1 are NaN)" in said
    assert "all that went in was finite" in said


def test_the_refusal_names_what_had_been_broken_before() -> None:
    """A text encoder that overflows is found at the first step."""
    found = refused(prompt=BROKEN, picture=None, latents=FINE)
    assert found.already == ("prompt",)
    assert "prompt had been so already" in str(found)


def test_half_precision_is_what_is_suspected_first() -> None:
    """Its numbers end at 65,504."""
    assert "float16" in refused(dtype=torch.float16).advice[0]


@pytest.mark.parametrize(
    ("guidance", "scales", "suspected"),
    [(30.0, (), "guidance, 30"), (3.0, (2.0, 0.5), "strengths: 2"), (3.0, (0.5,), "its LoRAs")],
    ids=["guidance", "a strong LoRA", "LoRAs"],
)
def test_what_is_unusual_is_suspected(
    guidance: float, scales: tuple[float, ...], suspected: str
) -> None:
    """Of the step's own parameters."""
    step = Step(index=0, timestep=1000.0, phase=1, guidance_scale=guidance, expert="high")
    assert any(suspected in one for one in refused(step, lora_scales=scales).advice)


def test_pictures_that_are_not_finite_are_refused_as_the_decoders() -> None:
    """The latents were finite: they were looked at after each step."""
    with pytest.raises(NotFinite, match="the decoding after the last step gave pictures"):
        check_video(BROKEN, torch.float32)
