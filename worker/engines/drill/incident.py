"""The defect of the incident, as an engine had it.

An early step takes the model's name out of the parameters; a later one asks, under the name that
is no longer there, how many frames the model makes at least. The look-up gives None, and the line
after it asks None for the answer. Nothing about guidance, LoRAs, timing or the loop has any part
in it.
"""

from typing import Any, Final

from worker.engines.drill import models
from worker.engines.drill.announcing import announce
from worker.params.request import GenerationRequest

_FEWEST_FRAMES: Final = 5
_REGISTRY: Final[dict[str, dict[str, Any]]] = {
    models.model_of(models.INCIDENT): {"frames_minimum": _FEWEST_FRAMES, "frames_steps": 4}
}


def prepare(request: GenerationRequest) -> int:
    """Prepare a generation; return the number of frames to make."""
    params = {"model_name": request.model, "video_length": request.frames}
    params |= {name: param.value for name, param in request.params.items()}
    weights = _weights_of(params)
    announce(f"{models.INCIDENT}, with {weights}")
    return _frames_of(params)


def _weights_of(params: dict[str, Any]) -> str:
    """Name the file of the weights. This is where the name is lost: nobody puts it back."""
    return f"{params.pop('model_name')}.safetensors"


def _frames_of(params: dict[str, Any]) -> int:
    model_name = params.get("model_name", "")
    fewest = _frames_minimum(model_name)
    return max(fewest, int(params["video_length"]))


def _frames_minimum(model_name: str) -> int:
    model_def: Any = _REGISTRY.get(model_name)
    fewest: int = model_def.get("frames_minimum", _FEWEST_FRAMES)  # drill: incident
    return fewest
