"""The models of the drill's engine: one a fault, all with the defaults of the incident's model."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from worker.engines.base import ModelDefinition
from worker.errors import UnknownModel

ENGINE: Final = "drill"
# A model that meets no fault, to compare the others with.
SOUND: Final = "drill_nothing"
INCIDENT: Final = "incident"
# CUDA faults on a machine without CUDA: exceptions of the same form.
SIMULATED: Final = "-simulated"
CUDA: Final = ("cuda-oom", "cuda-assert")
FAULTS: Final = (
    "exception",
    "none-from-engine",
    "swallowed",
    "segfault",
    "abort",
    "sigkill",
    "oom",
    "exit",
    "hang",
    "gil-hang",
    *CUDA,
    INCIDENT,
)


def model_of(fault: str) -> str:
    """Name the model that meets a fault."""
    return f"drill_{fault}"


def fault_of(model: str) -> str:
    """Name the fault that a model meets; "nothing" of the sound one."""
    return model.removeprefix("drill_")


def definition(name: object) -> ModelDefinition:
    """Look up a model. Raises `UnknownModel`, for "" and None too."""
    found = _definitions().get(name) if isinstance(name, str) else None
    if found is None:
        raise UnknownModel(name, sorted(_definitions()))
    return found


@cache
def defaults() -> Mapping[str, Any]:
    """Return the 32 defaults of the incident's model, in the order of its parameter loop."""
    text = files("worker.engines.drill").joinpath("defaults.json").read_text(encoding="utf-8")
    return MappingProxyType(json.loads(text))


@cache
def _definitions() -> Mapping[str, ModelDefinition]:
    simulated = [f"{fault}{SIMULATED}" for fault in CUDA]
    names = [SOUND, *map(model_of, [*FAULTS, *simulated])]
    return {name: _definition(name) for name in names}


def _definition(name: str) -> ModelDefinition:
    return ModelDefinition(
        name=name,
        engine=ENGINE,
        # A journey goes through pictures; the others need none.
        kind="i2v" if name == model_of(INCIDENT) else "t2v",
        title=f"Drill: meets the fault {fault_of(name)!r} in the middle of its steps",
        weights="",
        fps=16.0,
        defaults=defaults(),
    )
