"""The engines by name; only the one that is asked for is imported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.engines.base import Engine
from worker.errors import SettingsError

DIFFUSERS = "diffusers"
WAN2GP = "wan2gp"
ENGINES = (DIFFUSERS, WAN2GP)
# Fails on purpose, for `loop26 drill`; no setting names it.
DRILL = "drill"


def engine_named(
    name: str, *, definition_dirs: Sequence[Path], models_dir: Path, options: Mapping[str, Any]
) -> Engine:
    """Make an engine; `options` are keyword arguments of its class.

    Raises `SettingsError` for an unknown name, or when the engine's packages are not installed.
    """
    if name == DRILL:
        from worker.engines.drill import DrillEngine

        return DrillEngine(**options)
    if name == WAN2GP:
        from worker.engines.wan2gp.engine import Wan2gpEngine

        return Wan2gpEngine(**options)
    if name not in ENGINES:
        raise SettingsError(f"engine {name!r} is unknown; known: {', '.join(ENGINES)}")
    try:
        from worker.engines.catalog import Catalog
        from worker.engines.diffusers_wan import DiffusersWanEngine
    except ImportError as exc:
        raise SettingsError(
            f"engine {name!r} needs packages that are not installed ({exc}); "
            f"install them with `pip install 'loop26[{name}]'`"
        ) from exc
    return DiffusersWanEngine(Catalog.load(definition_dirs), models_dir=models_dir, **options)
