"""The checkout's cache of a model's defaults: written once, read for ever, however old it grows."""

import json
import logging
from pathlib import Path
from typing import Any, Final

from worker.engines.wan2gp.model_files import FOLDERS

_FOLDER: Final = "settings"
_VERSION: Final = "settings_version"
_log = logging.getLogger(__name__)


def cache_of(root: Path, model: str) -> Path:
    """Return where the checkout keeps a model's defaults, whether it does or not."""
    return root / _FOLDER / f"{model}_settings.json"


def stamp_of(root: Path, model: str) -> tuple[tuple[str, int, int], ...]:
    """Return what is another once a file that a model's defaults come from was written to."""
    files = [cache_of(root, model), *(root / folder / f"{model}.json" for folder in FOLDERS)]
    return tuple(
        (file.name, found.st_mtime_ns, found.st_size)
        for file in files
        if file.is_file()
        for found in [file.stat()]
    )


def staleness(module: Any, root: Path, model: str) -> str:
    """Say why the cache no longer has what the checkout would write today; "" where it has.

    Asks for the model's factory settings where the checkout can tell them; else the stamp of
    version in the file, and the ages of the files, must do.
    """
    cache = cache_of(root, model)
    kept = _read(cache)
    if kept is None:
        return ""
    if (factory := _factory(module, model)) is not None:
        other = sorted(key for key in factory if kept.get(key) != factory[key])
        return f"{cache} differs from the factory settings in {', '.join(other)}" if other else ""
    version, written = _number(getattr(module, _VERSION, None)), _number(kept.get(_VERSION))
    if version is not None and written is not None and written < version:
        return f"{cache} was written by version {written:g} of the settings; it is {version:g} now"
    for folder in FOLDERS:
        source = root / folder / f"{model}.json"
        if source.is_file() and source.stat().st_mtime_ns > cache.stat().st_mtime_ns:
            return f"{cache} is older than {source}, which it was made from"
    return ""


def _factory(module: Any, model: str) -> dict[str, Any] | None:
    ask = getattr(module, "get_factory_settings", None)
    try:
        found = ask(model) if ask else None
    except Exception as trouble:  # noqa: BLE001 - no task needs these to go on
        _log.warning("the factory settings of %s cannot be had: %r", model, trouble)
        return None
    return found if isinstance(found, dict) else None


def _read(file: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]  # it is one
