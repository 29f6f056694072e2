"""The LoRA files that an engine is given: whether they are those that the request names."""

from worker.engines.base import Inputs
from worker.errors import EngineError
from worker.params.request import GenerationRequest


def check_loras(request: GenerationRequest, inputs: Inputs) -> None:
    """Refuse to render without a LoRA that the request names. Raises `EngineError`."""
    given = [lora.use.url for lora in inputs.loras]
    asked = [lora.url for lora in request.loras]
    if given != asked:
        raise EngineError(f"the request names the LoRAs {asked} and the files given are {given}")
