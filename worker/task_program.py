"""The program that runs tasks: in which interpreter it is started, and with what for its engine."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from worker.engines.wan2gp import start
from worker.engines.wan2gp.beside import compiled_for
from worker.engines.wan2gp.brought import order
from worker.engines.wan2gp.interpreter import PYTHON_ADVICE, PYTHON_SETTING, examine
from worker.errors import SettingsError
from worker.params.defaults import WGP
from worker.settings import Settings
from worker.settings.environment import child_environment, interpreter_environment, variable_of
from worker.supervisor.child import TaskProgram


def task_program(settings: Settings, engine: str, *, tell: Callable[[str], None]) -> TaskProgram:
    """Return how a task process of an engine is started: for wan2gp in the operator's interpreter.

    What that interpreter needs of ours is brought along, which may install something under the
    home; `tell` is told of it.

    Raises:
        SettingsError: The checkout or its interpreter is not set, not there, or will not do.
    """
    if engine != WGP:
        return TaskProgram(environment=child_environment())
    checkout_of(settings)
    python = _given(settings.wan2gp_python, PYTHON_SETTING, PYTHON_ADVICE)
    environment = interpreter_environment(python)
    facts = examine(python, environment=environment)
    if facts.too_old:
        raise SettingsError(f"{PYTHON_SETTING} = {str(python)!r}: {facts.too_old}")
    beside = compiled_for(
        facts, settings.wan2gp_dir / "packages", environment=environment, tell=tell
    )
    return TaskProgram(
        argv=(str(python), str(Path(start.__file__)), json.dumps(order(beside))),
        environment=environment,
    )


def engine_options(settings: Settings, engine: str) -> dict[str, Any]:
    """Return the keyword arguments of an engine's class, as the settings have them."""
    if engine != WGP:
        return {
            "device": settings.device,
            "dtype": settings.dtype,
            "offload": settings.offload,
            "threads": settings.threads,
            "compile": settings.compile,
            "local_files_only": settings.models_offline,
        }
    return {
        "checkout": str(settings.wan2gp_checkout or ""),
        "config": str(settings.wan2gp_config or ""),
        "args": list(settings.wan2gp_args),
        "outputs": str(settings.wan2gp_dir),
        "device": settings.device,
        "unknown_params": settings.unknown_params,
        "watch": False,
    }


def own_code(settings: Settings, engine: str) -> list[str]:
    """Name the folders besides ours whose code counts as ours in a failure: the checkout."""
    return [str(settings.wan2gp_checkout)] if engine == WGP and settings.wan2gp_checkout else []


def ffmpeg_for(engine: str) -> str:
    """Return our own ffmpeg for an engine whose environment has another, "" where there is none."""
    if engine != WGP or find_spec("imageio_ffmpeg") is None:
        return ""
    from worker.video import ffmpeg

    return ffmpeg.binary()


def checkout_of(settings: Settings) -> Path:
    """Return the checkout's folder. Raises `SettingsError` where it is none."""
    advice = "give the folder of your Wan2GP checkout, which holds wgp.py"
    checkout = _given(settings.wan2gp_checkout, "wan2gp_checkout", advice)
    if not checkout.is_dir():
        raise SettingsError(f"wan2gp_checkout = {str(checkout)!r}: is no folder; {advice}")
    if not (checkout / "wgp.py").is_file():
        raise SettingsError(f"wan2gp_checkout = {str(checkout)!r}: holds no wgp.py; {advice}")
    config = settings.wan2gp_config
    if config is not None and not config.is_dir():
        raise SettingsError(
            f"wan2gp_config = {str(config)!r}: is no folder; give the one that holds "
            f"wgp_config.json, or unset {variable_of('wan2gp_config')} for the checkout's own"
        )
    return checkout


def _given(path: Path | None, name: str, advice: str) -> Path:
    if path is None:
        raise SettingsError(
            f"engine = {WGP!r} needs {name}: {advice}, with {variable_of(name)} or {name} in "
            "config.toml"
        )
    return path
