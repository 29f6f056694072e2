"""The environment: what it sets, and what of it a child may have. Nothing else here reads it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic_settings import EnvSettingsSource

from worker.settings.queue_settings import PREFIX
from worker.settings.settings import Settings

# Read by CUDA when a process begins to use it.
BLOCKING = "CUDA_LAUNCH_BLOCKING"
_LEADS_TO_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_FOREIGN_SECRET = re.compile(r"SUPABASE_.*|OTEL_EXPORTER_.*_HEADERS")


def environment_values() -> Mapping[str, Any]:
    """Read the settings that the environment gives, by field name."""
    found = EnvSettingsSource(Settings)()
    return {name: found[key] for name in Settings.model_fields if (key := key_of(name)) in found}


def secret_names() -> frozenset[str]:
    """Name the settings whose values are shown to nobody."""
    return frozenset(name for name in Settings.model_fields if _is_secret(name))


def child_environment() -> dict[str, str]:
    """Return the environment for a process that runs tasks or native code: without our secrets.

    Left out are the variables of secret settings, every other OTLP exporter's headers, and all of
    Supabase's: a task process sends no telemetry and knows no queue.
    """
    # The settings' variables are read in any case of letters, so they are left out in any.
    ours = {variable_of(name).upper() for name in secret_names()}
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in ours and not _FOREIGN_SECRET.fullmatch(name.upper())
    }


def interpreter_environment(python: Path) -> dict[str, str]:
    """Return the environment for a process that runs tasks in another interpreter than ours.

    What leads a Python to our packages is left out, and what its environment has installed comes
    first on the path.
    """
    environment = child_environment()
    for name in _LEADS_TO_OURS:
        environment.pop(name, None)
    path = environment.get("PATH") or os.defpath
    return {**environment, "PATH": f"{python.parent}{os.pathsep}{path}"}


def calls_wait(environment: Mapping[str, str]) -> bool:
    """Whether CUDA's calls wait, in a process of this environment, for what they asked for."""
    return environment.get(BLOCKING) == "1"


def _is_secret(name: str) -> bool:
    return SecretStr in _types_in(Settings.model_fields[name].annotation)


def _types_in(annotation: Any) -> set[Any]:
    return {annotation}.union(*(_types_in(part) for part in get_args(annotation)))


def key_of(name: str) -> str:
    """Return the key under which pydantic takes a field: its name, or its alias."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else name


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"
