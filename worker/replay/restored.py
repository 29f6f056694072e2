"""An engine that answers with the defaults of a record."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from worker.engines.base import (
    DeviceFacts,
    Engine,
    Generated,
    Inputs,
    MemoryFacts,
    ModelDefinition,
    Observer,
)
from worker.params.request import GenerationRequest


class RestoredDefaults:
    """An engine as it was when a task was recorded, as far as one model's defaults go.

    Satisfies `worker.engines.base.Engine`. All calls go to the engine; it is asked for the
    defaults, too, so that what fails in there fails again, and what it answers for the model is
    replaced.
    """

    def __init__(self, engine: Engine, *, model: str, defaults: Mapping[str, Any]) -> None:
        self._engine = engine
        self._model = model
        self._defaults = defaults
        self.name = engine.name

    @property
    def loaded_model(self) -> str | None:
        """Name of the model that is loaded now."""
        return self._engine.loaded_model

    @property
    def load_count(self) -> int:
        """How many times a model has been loaded."""
        return self._engine.load_count

    def device(self) -> DeviceFacts:
        """Prove that the device computes."""
        return self._engine.device()

    def model_def(self, model: str) -> ModelDefinition:
        """Look up a model."""
        return self._engine.model_def(model)

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return the recorded defaults of the recorded model; of another, the engine's."""
        own = self._engine.default_settings(model)
        return MappingProxyType(dict(self._defaults)) if model == self._model else own

    def load(self, model: str) -> None:
        """Have the model ready on the device."""
        self._engine.load(model)

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Generate one video."""
        return self._engine.generate(request, inputs, observer)

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Say who holds the device's memory."""
        return self._engine.memory(exc)

    def unload(self) -> None:
        """Free the device's memory."""
        self._engine.unload()
