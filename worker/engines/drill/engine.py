"""The engine itself: it does what an engine does, without a device, until its fault comes."""

import platform
from collections.abc import Mapping
from typing import Any

import telemetry
from telemetry import names
from worker.engines.base import (
    DeviceFacts,
    Generated,
    Inputs,
    MemoryFacts,
    ModelDefinition,
    Observer,
)
from worker.engines.catalog import fresh_defaults
from worker.engines.drill import incident, models, steps
from worker.params.request import GenerationRequest


class DrillEngine:
    """Meets a fault in each generation; see `worker.engines.base.Engine`.

    What its spans tell is what every engine's tell, so that a drill's record looks like a real
    one. It needs neither torch nor a device, but for the CUDA faults where CUDA is.

    Args:
        device: auto, cpu, cuda or cuda:N; where the CUDA faults happen.
        _others: What the settings say to other engines.
    """

    name = models.ENGINE

    def __init__(self, *, device: str = "auto", **_others: Any) -> None:
        self._device = device
        self._loaded: str | None = None
        self._load_count = 0

    @property
    def loaded_model(self) -> str | None:
        """Name of the model that is loaded now."""
        return self._loaded

    @property
    def load_count(self) -> int:
        """How many times a model has been loaded by this engine object."""
        return self._load_count

    def device(self) -> DeviceFacts:
        """Name the processor: nothing is computed that needs more."""
        return DeviceFacts(kind="cpu", name=platform.machine(), facts={"drill": True})

    def model_def(self, model: str) -> ModelDefinition:
        """Look up a model."""
        with self._call("model_def", model) as span:
            definition = models.definition(model)
            span.set_attribute(f"{names.ENGINE_RESULT}kind", definition.kind)
            return definition

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return a copy of the model's defaults, in the order of the loop."""
        with self._call("default_settings", model) as span:
            found = fresh_defaults(models.definition(model))
            span.set_attribute(f"{names.ENGINE_RESULT}count", len(found))
            return found

    def load(self, model: str) -> None:
        """Take a model for loaded: there are no weights."""
        with self._call("load", model, {"device": self._device}) as span:
            definition = models.definition(model)
            already = self._loaded == definition.name
            span.set_attribute(f"{names.ENGINE_RESULT}already_loaded", already)
            if not already:
                self._loaded = definition.name
                self._load_count += 1

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Go through the steps and meet the fault in one of them; the sound model's end well."""
        del inputs
        with self._call("generate", request.model, _scalars(request)) as span:
            fault = models.fault_of(models.definition(request.model).name)
            if self._loaded != request.model:
                self.load(request.model)
            if fault == models.INCIDENT:
                incident.prepare(request)
            generated = steps.generate(request, observer, fault=fault, device=self._device)
            sides = zip(("frames", "height", "width"), generated.frames.shape, strict=False)
            span.set_attributes({f"{names.ENGINE_RESULT}{side}": size for side, size in sides})
            return generated

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Say nothing: there is no model."""
        del exc
        return MemoryFacts()

    def unload(self) -> None:
        """Forget the model."""
        self._loaded = None

    def _call(self, call: str, model: str, params: Mapping[str, Any] | None = None) -> Any:
        return telemetry.engine_call(call, engine=self.name, model=model, params=params or {})


def _scalars(request: GenerationRequest) -> dict[str, Any]:
    """Return the request for the span: every parameter's value, and what the engine goes by."""
    used = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "frames": request.frames,
        "fps": request.fps,
        "seed": request.seed,
        "steps": len(request.schedule.steps),
        "solver": request.schedule.solver,
        "loras": len(request.loras),
    }
    return {name: param.value for name, param in request.params.items()} | used
