"""What one task leaves in the engine that would change the next: noticed, said, and put back."""

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from worker.engines.wan2gp.settings_cache import stamp_of
from worker.errors import EngineError
from worker.params.frozen import digest

# Settings that its functions read as they go, and which anything in the process may write to.
_DICTS: Final = ("server_config", "primary_settings")
_MOST_KEYS: Final = 12


class Baseline:
    """How the engine's own settings were when it was first asked, and whether they still are.

    Args:
        module: The checkout's.
        root: Its folder.
    """

    def __init__(self, module: Any, root: Path) -> None:
        self._module = module
        self._root = root
        self._dicts = {name: copy.deepcopy(held) for name, held in self._held()}
        self._models: dict[str, dict[str, Any]] = {}
        self._defaults: dict[str, tuple[object, dict[str, Any]]] = {}

    def put_back(self) -> list[str]:
        """Put the engine's own settings back; say which keys had been changed."""
        changed = []
        for name, before in self._dicts.items():
            held = getattr(self._module, name, None)
            if not isinstance(held, dict):
                changed.append(f"{name}: the whole (put back)")
                setattr(self._module, name, copy.deepcopy(before))
            elif keys := differing(before, held):
                changed.append(f"{name}: {_listed(keys)} (put back)")
                _assign(held, before)
        return changed

    def model_put_back(self, model: str, raw: dict[str, Any]) -> list[str]:
        """Put a model's definition back, which the engine hands out as it keeps it."""
        with suppress(Exception):  # it may hold what cannot be copied or compared
            before = self._models.setdefault(model, copy.deepcopy(raw))
            if keys := differing(before, raw):
                _assign(raw, before)
                return [f"definition of {model}: {_listed(keys)} (put back)"]
        return []

    def defaults(self, model: str, ask: Callable[[], Any]) -> tuple[dict[str, Any], list[str]]:
        """Return a model's defaults, copied, and what had been changed in them.

        They are asked for each time. Where they are others than before, and no file that they come
        from is, somebody has written to them: then those of before stand.
        """
        stamp, told = stamp_of(self._root, model), ask()
        if not isinstance(told, Mapping):
            raise EngineError(f"the checkout's defaults of model {model!r} are {told!r}")
        now = copy.deepcopy(dict(told))
        known = self._defaults.get(model)
        if known is not None and known[0] == stamp and (keys := differing(known[1], now)):
            return copy.deepcopy(known[1]), [f"defaults of {model}: {_listed(keys)} (put back)"]
        # The engine writes its cache of them when they are first asked for.
        self._defaults[model] = (stamp_of(self._root, model), now)
        return copy.deepcopy(now), []

    def call_ended(self, model: str) -> None:
        """Take what a call has written to the files of a model's defaults for its own doing.

        Those of before stand, and the next that asks for them is told what had been changed.
        """
        if (known := self._defaults.get(model)) is not None:
            self._defaults[model] = (stamp_of(self._root, model), known[1])

    def _held(self) -> list[tuple[str, dict[str, Any]]]:
        found = ((name, getattr(self._module, name, None)) for name in _DICTS)
        return [(name, held) for name, held in found if isinstance(held, dict)]


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the keys whose values are not the same, in order."""
    missing = object()
    keys = dict.fromkeys([*before, *now])
    return [key for key in keys if not _same(before.get(key, missing), now.get(key, missing))]


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    try:
        return digest({"": one}) == digest({"": other})
    except (TypeError, ValueError):  # no JSON
        return bool(one == other)


def _assign(held: dict[str, Any], before: Mapping[str, Any]) -> None:
    whole = copy.deepcopy(dict(before))
    held.clear()
    held.update(whole)


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    return f"{', '.join(map(str, keys[:_MOST_KEYS]))}{more}"
