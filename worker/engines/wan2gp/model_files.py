"""The models of a checkout as its files describe them: as much as planning a task needs.

Only the engine knows the rest, the defaults that these files leave to it among it, and the engine
is asked when the task runs.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from worker.engines.base import ModelDefinition
from worker.errors import SettingsError, UnknownModel
from worker.params.defaults import WGP

# The checkout's own, and its operator's: a model of these stands for one of the same name in those.
FOLDERS: Final = ("defaults", "finetunes")
# Text, with a start image and an end image if given: only the engine knows what a model is for.
_KIND: Final = "ti2v"
# Wan's; what a model has of its own, the engine says.
_FPS: Final = 16.0


class ModelFiles:
    """The models that a checkout describes, read one by one as they are asked for."""

    def __init__(self, checkout: Path) -> None:
        self._files = dict(_files_in(checkout))

    def get(self, name: object) -> ModelDefinition:
        """Look up a model.

        Raises:
            UnknownModel: No file describes it; names the nearest.
            SettingsError: Its file cannot be read as one; names the file.
        """
        if not isinstance(name, str) or name not in self._files:
            raise UnknownModel(name, self.names())
        return _definition(name, self._files[name])

    def names(self) -> tuple[str, ...]:
        """Return every model's name, sorted: its file's."""
        return tuple(sorted(self._files))

    def file_of(self, name: str) -> Path:
        """Return the file that describes a model that is among `names`."""
        return self._files[name]


class UnseenModels:
    """Whatever a task names, where the checkout is on another machine: nothing can be looked up."""

    def get(self, name: object) -> ModelDefinition:
        """Take any name for a model's. Raises `UnknownModel` where there is none."""
        if not isinstance(name, str) or not name.strip():
            raise UnknownModel(name, ())
        return _described(name, title=name, weights="", defaults={})


def _files_in(checkout: Path) -> Iterator[tuple[str, Path]]:
    for folder in FOLDERS:
        for file in sorted((checkout / folder).glob("*.json")):
            if file.is_file():
                yield file.stem, file


def _definition(name: str, file: Path) -> ModelDefinition:
    try:
        read = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"model definition {str(file)!r}: {error}") from error
    model = read.get("model") if isinstance(read, dict) else None
    if not isinstance(model, dict):
        raise SettingsError(f'model definition {str(file)!r}: must be an object with a "model"')
    title = model.get("name")
    return _described(
        name,
        title=title if isinstance(title, str) and title else name,
        weights=str(file),
        defaults={key: value for key, value in read.items() if key != "model"},
    )


def _described(
    name: str, *, title: str, weights: str, defaults: Mapping[str, Any]
) -> ModelDefinition:
    return ModelDefinition(
        name=name,
        engine=WGP,
        kind=_KIND,
        title=title,
        weights=weights,
        fps=_FPS,
        defaults=MappingProxyType(dict(defaults)),
    )
