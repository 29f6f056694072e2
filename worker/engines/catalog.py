"""The catalogue: one small definition file a model, read without loading any weights."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from worker.engines.base import ModelDefinition
from worker.errors import SettingsError, UnknownModel
from worker.params.layers import ALIASES

_Positive = Annotated[int, msgspec.Meta(ge=1)]


class _DefinitionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a definition file may hold; msgspec names the field that is wrong."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    engine: Annotated[str, msgspec.Meta(min_length=1)]
    kind: Literal["i2v", "t2v", "ti2v"]
    title: str
    weights: str
    fps: Annotated[float, msgspec.Meta(gt=0)]
    defaults: Annotated[dict[str, Any], msgspec.Meta(min_length=1)]
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] | None = None
    frame_stride: _Positive = 4
    min_frames: _Positive = 5
    max_frames: _Positive = 4093
    max_side: _Positive = 8192
    size_multiple: _Positive = 16


class Catalog:
    """Every model that tasks may name. Immutable; made by `load`."""

    def __init__(self, definitions: Iterable[ModelDefinition]) -> None:
        self._definitions = {definition.name: definition for definition in definitions}

    @classmethod
    def load(cls, extra_dirs: Sequence[Path] = ()) -> "Catalog":
        """Read the definitions that ship with the worker, then those of an operator's folders.

        A definition replaces an earlier one of the same name, so that an operator can point a
        shipped model at a folder of their own. Raises `SettingsError` naming file and field.
        """
        folders: list[Traversable] = [files("worker.engines").joinpath("definitions")]
        for folder in extra_dirs:
            if not folder.is_dir():
                raise SettingsError(
                    f"folder of model definitions {str(folder)!r} is not there; "
                    "create it or leave it out"
                )
            folders.append(folder)
        return cls(_read(file) for folder in folders for file in _definition_files(folder))

    def get(self, name: object) -> ModelDefinition:
        """Look up a model. Raises `UnknownModel`, for "" and None too, with the nearest names."""
        if not isinstance(name, str) or name not in self._definitions:
            raise UnknownModel(name, self.names())
        return self._definitions[name]

    def names(self) -> tuple[str, ...]:
        """Return every model's name, sorted."""
        return tuple(sorted(self._definitions))


def fresh_defaults(definition: ModelDefinition) -> Mapping[str, Any]:
    """Return the model's defaults, read-only and copied to the last list inside.

    What a caller does to a value cannot reach the next caller.
    """
    return MappingProxyType(copy.deepcopy(dict(definition.defaults)))


def _definition_files(folder: Traversable) -> list[Traversable]:
    found = (entry for entry in folder.iterdir() if entry.name.endswith(".json"))
    return sorted(found, key=lambda entry: entry.name)


def _read(file: Traversable) -> ModelDefinition:
    try:
        read = msgspec.json.decode(file.read_bytes(), type=_DefinitionFile)
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"model definition {str(file)!r}: {error}") from error
    problem = _contradiction(read, file.name.removesuffix(".json"))
    if problem:
        raise SettingsError(f"model definition {str(file)!r}: {problem}")
    return ModelDefinition(
        name=read.name,
        engine=read.engine,
        kind=read.kind,
        title=read.title,
        weights=read.weights,
        fps=read.fps,
        defaults=MappingProxyType(read.defaults),
        seed=read.seed or 0,
        frame_stride=read.frame_stride,
        min_frames=read.min_frames,
        max_frames=read.max_frames,
        max_side=read.max_side,
        size_multiple=read.size_multiple,
    )


def _contradiction(read: _DefinitionFile, stem: str) -> str:
    """Return what no single field can show, "" when there is nothing."""
    if read.name != stem:
        return f"name = {read.name!r} must be the file's name, {stem!r}"
    if bool(read.weights) == (read.seed is not None):
        return (
            f"weights = {read.weights!r} and seed = {read.seed!r}: give weights (a folder or a "
            "hub id), or a seed for a model that is built"
        )
    if read.kind == "ti2v" and read.engine == "diffusers":
        return f"kind = {read.kind!r} is none that the engine {read.engine} has: i2v or t2v"
    for key in read.defaults:
        meant = next((name for name, others in ALIASES.items() if key in others), key)
        if meant != key:
            return f"defaults.{key} is another name of {meant}, by which defaults are read"
    if (read.min_frames - 1) % read.frame_stride:
        return f"min_frames = {read.min_frames} must be {read.frame_stride} · N + 1 (frame_stride)"
    return ""
