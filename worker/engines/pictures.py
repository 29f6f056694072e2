"""The pictures that an engine is given: whether its model takes them, and at the frame's size."""

from collections.abc import Sequence

from PIL import Image, ImageOps

from worker.engines.base import Inputs, ModelDefinition
from worker.errors import EngineError, FrameCountMismatch
from worker.params.request import GenerationRequest


def check_inputs(request: GenerationRequest, definition: ModelDefinition, inputs: Inputs) -> None:
    """Refuse pictures that are missing or that the model cannot take. Raises `EngineError`."""
    if definition.kind == "i2v" and inputs.start_image is None:
        raise EngineError(
            f"model {request.model!r} is image to video and got no start image; "
            "give one, or use a text to video model"
        )
    if definition.kind == "t2v" and (inputs.start_image or inputs.end_image):
        raise EngineError(
            f"model {request.model!r} is text to video and cannot take a start or end image; "
            "leave it out, or use an image to video model"
        )
    if definition.kind == "ti2v" and inputs.start_image is None and not request.prompt:
        raise EngineError(
            f"model {request.model!r} got neither a prompt nor a start image; give one of them"
        )


def check_frames(
    shape: Sequence[int], request: GenerationRequest, *, where: str = "", advice: str = ""
) -> None:
    """Refuse a video of another length or size than was asked: `shape` is of its frames.

    Args:
        shape: (frames, height, width, 3).
        request: What was asked.
        where: What is known of how the frames came to be.
        advice: What to do about another size.

    Raises:
        FrameCountMismatch: There are more, or fewer.
        EngineError: They have another size.
    """
    count, height, width = shape[:3]
    if count != request.frames:
        raise FrameCountMismatch(request.frames, count, where)
    if (width, height) != (request.width, request.height):
        said = (
            f"the engine returned {width}x{height} where {request.width}x{request.height} was asked"
        )
        raise EngineError("; ".join(filter(None, (said, advice, where))))


def cover(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scale a picture until it covers the frame, and cut what stands out, evenly on both sides."""
    return ImageOps.fit(picture.convert("RGB"), (width, height), method=Image.Resampling.LANCZOS)
