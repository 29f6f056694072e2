"""What a checkout knows of a model, as the worker's own definition of one."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from worker.engines.base import ModelDefinition
from worker.engines.wan2gp.model_files import FOLDERS
from worker.errors import UnknownModel
from worker.params.defaults import WGP

_FPS: Final = 16.0
_FRAMES: Final = (5, 4)  # the least, and the stride
_SIZE_MULTIPLE: Final = 16


def look_up(module: Any, root: Path, model: object) -> dict[str, Any]:
    """Ask the checkout for a model, before anything else is asked under that name.

    Raises `UnknownModel`, also for an empty name, for which nobody is asked: what the checkout's
    own helpers make of None is `'NoneType' object has no attribute 'get'`.
    """
    found = module.get_model_def(model) if isinstance(model, str) and model else None
    if not isinstance(found, dict):
        raise UnknownModel(model, known_models(module, root))
    return found


def known_models(module: Any, root: Path) -> tuple[str, ...]:
    """Return the names of all models, sorted: those in its registry, or of which it has files."""
    registry = getattr(module, "models_def", None)
    if isinstance(registry, Mapping) and registry:
        return tuple(sorted(map(str, registry)))
    files = (file for folder in FOLDERS for file in (root / folder).glob("*.json"))
    return tuple(sorted({file.stem for file in files}))


def definition_of(
    module: Any, model: str, raw: Mapping[str, Any], defaults: Mapping[str, Any]
) -> ModelDefinition:
    """Say what the worker needs to know of a model, by what the checkout has to tell it.

    Args:
        module: The checkout's.
        model: The model's name; known.
        raw: What `get_model_def` gave.
        defaults: Its defaults.
    """
    least, stride = _frames(module, model, raw)
    weights = raw.get("URLs")
    return ModelDefinition(
        name=model,
        engine=WGP,
        kind=_kind(module, model, raw),
        title=str(raw.get("name", model)),
        weights=str(weights[0]) if isinstance(weights, list) and weights else str(weights or ""),
        fps=_fps(module, model, raw),
        frame_stride=stride,
        min_frames=least,
        size_multiple=_SIZE_MULTIPLE,
        defaults=MappingProxyType(copy.deepcopy(dict(defaults))),
    )


def _kind(module: Any, model: str, raw: Mapping[str, Any]) -> str:
    """Return "i2v" of a model that cannot do without a picture, and "ti2v" where nobody says so."""
    ask = getattr(module, "test_class_i2v", None)
    says_i2v = bool(raw.get("i2v_class")) or bool(ask and ask(_base(module, model)))
    if says_i2v and not raw.get("t2v_class"):
        return "i2v"
    return "t2v" if raw.get("t2v_class") and not says_i2v else "ti2v"


def _base(module: Any, model: str) -> str:
    ask = getattr(module, "get_base_model_type", None)
    return model if ask is None else ask(model) or model


def _frames(module: Any, model: str, raw: Mapping[str, Any]) -> tuple[int, int]:
    ask = getattr(module, "get_model_min_frames_and_step", None)
    said: Sequence[int] = ask(model) if ask else ()
    if len(said) >= len(_FRAMES):
        return int(said[0]), int(said[1])
    return int(raw.get("frames_minimum", _FRAMES[0])), int(raw.get("frames_steps", _FRAMES[1]))


def _fps(module: Any, model: str, raw: Mapping[str, Any]) -> float:
    ask = getattr(module, "get_model_fps", None)
    return float(ask(model)) if ask else float(raw.get("fps", _FPS))
