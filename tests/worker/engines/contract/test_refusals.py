"""What an engine refuses rather than make a video of something else."""

import dataclasses

import pytest

from telemetry import names
from telemetry.records import Status
from tests.worker.engines.contract.driven import Driven, Watching, phases, picture
from tests.worker.engines.contract.fixtures import Spans
from tests.worker.engines.contract.subjects import LORAS, PICTURES, TEXT
from worker.engines.base import Inputs
from worker.errors import EngineError, UnknownModel
from worker.params.request import GenerationRequest


def refused(
    driven: Driven, spans: Spans, request: GenerationRequest, inputs: Inputs, match: str
) -> None:
    """Have a request be refused: inside the span of its call, before any step, for this reason."""
    observer = Watching()
    with pytest.raises(EngineError, match=match):
        driven.engine.generate(request, inputs, observer)
    assert observer.steps == []
    [span] = [span for span in spans() if span.name == names.engine("generate")]
    assert span.status == Status.ERROR
    assert [event.name for event in span.events].count(names.EXCEPTION_EVENT) == 1
    assert (driven.frames() == driven.first).all()


@pytest.mark.needs(PICTURES)
def test_image_to_video_needs_a_start_picture(driven: Driven, spans: Spans) -> None:
    """No black frame takes its place, whether there is an end picture or not."""
    request = driven.request()
    inputs = driven.inputs(request, start_image=None, end_image=picture())
    refused(driven, spans, request, inputs, "got no start image")


@pytest.mark.needs(TEXT)
@pytest.mark.parametrize("which", ["start_image", "end_image"])
def test_text_to_video_takes_no_picture(driven: Driven, spans: Spans, which: str) -> None:
    """One that would be ignored is refused."""
    request = driven.request(model=driven.subject.others[0])
    inputs = driven.inputs(request, **{which: picture()})
    refused(driven, spans, request, inputs, "cannot take a start or end image")


@pytest.mark.needs(TEXT)
def test_text_to_video_needs_no_picture(driven: Driven) -> None:
    """It makes a video of the prompt alone."""
    request = driven.request(model=driven.subject.others[0])
    assert driven.generate(request).frames.shape == driven.first.shape


@pytest.mark.needs(LORAS)
def test_a_lora_whose_file_is_missing_is_refused(driven: Driven, spans: Spans) -> None:
    """No video is made without a LoRA that the request names."""
    request = driven.request(phase_config=phases(2, 2, loras={driven.loras[0]: "1;1"}))
    inputs = dataclasses.replace(driven.inputs(request), loras=())
    refused(driven, spans, request, inputs, "names the LoRAs")


@pytest.mark.needs(LORAS)
def test_a_lora_that_nobody_asked_for_is_refused(driven: Driven, spans: Spans) -> None:
    """Nor with one that the request does not name, or in another order."""
    asked = driven.request(phase_config=phases(2, 2, loras=dict.fromkeys(driven.loras, "1;1")))
    swapped = dataclasses.replace(driven.inputs(asked), loras=driven.inputs(asked).loras[::-1])
    refused(driven, spans, asked, swapped, "names the LoRAs")


def test_an_unknown_model_is_refused_where_it_would_generate(driven: Driven, spans: Spans) -> None:
    """Inside the span of the call, before any step."""
    request = dataclasses.replace(driven.request(), model="no-such-model")
    observer = Watching()
    with pytest.raises(UnknownModel):
        driven.engine.generate(request, driven.inputs(request), observer)
    assert observer.steps == []
    [span] = spans()
    assert (span.name, span.status) == (names.engine("generate"), Status.ERROR)
