"""Local paths in a payload are made absolute: who enqueues and who works stand in other folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.handlers.payloads.generation import END_NAMES, START_NAMES
from worker.inputs.sources import scheme_of

# Keys whose value is a path or URL, or a list of them.
_SOURCES = frozenset(
    {*START_NAMES, *END_NAMES, "input_image_paths_resolved", "activated_loras", "url"}
)
_LORAS = "additional_loras"  # {path or URL: strength}, or a list of {url, multiplier}
_LORAS_OF_SEGMENTS = "loras_per_segment_expanded"  # a list of these


def absolute(params: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the params with each relative path of a picture or LoRA taken from `folder`.

    URLs, absolute paths and everything that is no input stay as they are.
    """
    return {key: _value(key, value, folder) for key, value in params.items()}


def _value(key: str, value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        if key == _LORAS:
            return {_source(name, folder): strength for name, strength in value.items()}
        return absolute(value, folder)
    if isinstance(value, list):
        of_item = {_LORAS: "", _LORAS_OF_SEGMENTS: _LORAS}.get(key, key)
        return [_value(of_item, item, folder) for item in value]
    return _source(value, folder) if key in _SOURCES else value


def _source(value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or not value or scheme_of(value):
        return value
    return str(folder / Path(value).expanduser())
