"""The operator's checkout of Wan2GP under examination: looked at, and nothing of it run."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from worker.doctor.checkout_source import CheckoutSource, read_source
from worker.doctor.finding import Finding, Verdict
from worker.doctor.wan2gp_interpreter import examine_interpreter
from worker.engines.wan2gp.checkout import CONFIG_FILE
from worker.engines.wan2gp.licence import DISCLOSURE, NOTICE
from worker.engines.wan2gp.model_files import ModelFiles
from worker.engines.wan2gp.settings_cache import staleness
from worker.engines.wan2gp.versions import commit_of
from worker.errors import SettingsError
from worker.settings import Settings

_SOURCE: Final = "wgp.py"
# What it writes into: its cached defaults, and links to a task's LoRAs.
_WRITTEN: Final = ("settings", "loras")
_CACHE_END: Final = "_settings.json"
_MOST_NAMED: Final = 5


def examine_wan2gp(settings: Settings) -> Iterator[Finding]:
    """Yield how checkout, interpreter, packages and device are. Nothing is raised."""
    checkout = settings.wan2gp_checkout
    if checkout is None or not (checkout / _SOURCE).is_file():
        yield _no_checkout(checkout)
    else:
        yield from _checkout(checkout, settings.wan2gp_config)
    yield from examine_interpreter(settings)
    yield Finding(name="licence", verdict=Verdict.OK, found=f"{DISCLOSURE}. {NOTICE}")


def _no_checkout(checkout: Path | None) -> Finding:
    if checkout is None:
        found = "none is set"
    elif checkout.is_dir():
        found = f"{checkout} has no {_SOURCE}"
    else:
        found = f"{checkout} is not there"
    return Finding(
        name="checkout",
        verdict=Verdict.ERROR,
        found=found,
        advice=f"set wan2gp_checkout (LOOP26_WAN2GP_CHECKOUT) to the folder that holds {_SOURCE}; "
        "in a container it must be mounted there",
    )


def _checkout(checkout: Path, config: Path | None) -> Iterator[Finding]:
    yield _writable(checkout)
    yield _configuration(checkout, config)
    try:
        source = read_source(checkout)
    except (OSError, SyntaxError) as error:
        yield _unreadable(error)
        stamp = None
    else:
        yield _api(source)
        yield _version(checkout, source)
        stamp = source.stamp
    yield _models(ModelFiles(checkout))
    yield _settings_cache(checkout, stamp)


def _writable(checkout: Path) -> Finding:
    folders = (checkout / name for name in _WRITTEN)
    closed = [
        str(folder)
        for folder in folders
        # One that is not there is made in the checkout.
        if not os.access(folder if folder.exists() else checkout, os.W_OK | os.X_OK)
    ]
    if not closed:
        return Finding(name="checkout", verdict=Verdict.OK, found=f"{checkout}, writable")
    return Finding(
        name="checkout",
        verdict=Verdict.ERROR,
        found=f"{checkout}; this user may not write {' and '.join(closed)}",
        advice="the engine writes there: mount the checkout writable, or give these folders to the "
        f"user that workers run as (here {os.geteuid()})",
    )


def _configuration(checkout: Path, config: Path | None) -> Finding:
    file = (config or checkout) / CONFIG_FILE
    name = "configuration"
    if not file.is_file():
        return Finding(
            name=name,
            # One that was asked for must be there; its own, the engine may make.
            verdict=Verdict.WARNING if config is None else Verdict.ERROR,
            found=f"{file} is not there",
            advice="set wan2gp_config (LOOP26_WAN2GP_CONFIG) to the folder that holds yours; "
            "without one the checkout goes by its own defaults",
        )
    try:
        read = _object(file)
    except (OSError, ValueError) as error:
        return Finding(
            name=name,
            verdict=Verdict.ERROR,
            found=f"{file}: {error}",
            advice="mend it, or move it away",
        )
    return Finding(name=name, verdict=Verdict.OK, found=f"{file}, {_many(len(read), 'setting')}")


def _unreadable(error: OSError | SyntaxError) -> Finding:
    found = str(error)
    if isinstance(error, SyntaxError):
        line = f" line {error.lineno}" if error.lineno else ""
        found = f"{error.filename}{line}: {error.msg}"
    return Finding(
        name="API",
        verdict=Verdict.ERROR,
        found=found,
        advice="what Python cannot read it cannot import: look there, or check the file out again",
    )


def _api(source: CheckoutSource) -> Finding:
    if not source.entry:
        return Finding(
            name="API",
            verdict=Verdict.ERROR,
            found=f"{_SOURCE} has neither generate_media nor generate_video",
            advice="see that it is a checkout of Wan2GP; a version of it that is called otherwise "
            "is one that this loop26 does not know",
        )
    session = "official session (shared/api.py), over " if source.session else ""
    found = f"{session}{source.entry} with {source.parameters} parameters"
    return Finding(name="API", verdict=Verdict.OK, found=found)


def _version(checkout: Path, source: CheckoutSource) -> Finding:
    commit = commit_of(checkout)
    parts = [source.version and f"version {source.version}", commit and f"commit {commit[:12]}"]
    said = ", ".join(part for part in parts if part)
    return Finding(
        name="version",
        verdict=Verdict.OK if said else Verdict.WARNING,
        found=said or "neither a version nor a commit is to be found",
        advice="" if said else "reports cannot say what failed: have git check it out",
    )


def _models(models: ModelFiles) -> Finding:
    names = models.names()
    damaged = [problem for name in names if (problem := _damage(models, name))]
    if damaged:
        return Finding(
            name="models",
            verdict=Verdict.ERROR,
            found=_some(damaged, "; "),
            advice="mend them, or move them away: tasks that name them are refused",
        )
    return Finding(
        name="models",
        verdict=Verdict.OK if names else Verdict.ERROR,
        found=_many(len(names), "model") if names else "no file describes one",
        advice="" if names else "look into its folder `defaults`: one JSON file describes a model",
    )


def _damage(models: ModelFiles, name: str) -> str:
    try:
        models.get(name)
    except SettingsError as error:
        return str(error)
    return ""


def _settings_cache(checkout: Path, stamp: float | None) -> Finding:
    files = sorted((checkout / "settings").glob(f"*{_CACHE_END}"))
    stale = [why for file in files if (why := _why_stale(file, checkout, stamp))]
    name = "settings cache"
    if not stale:
        found = f"{_many(len(files), 'file')}, none of them stale"
        return Finding(name=name, verdict=Verdict.OK, found=found)
    return Finding(
        name=name,
        verdict=Verdict.WARNING,
        found=_some(stale, "; "),
        advice="the engine goes on using what it has kept there; delete such a file to have it "
        "made again, unless somebody keeps settings of their own in it",
    )


def _why_stale(file: Path, checkout: Path, stamp: float | None) -> str:
    try:
        _object(file)
    except (OSError, ValueError) as error:
        return f"{file} cannot be read: {error}"
    said = SimpleNamespace(settings_version=stamp)  # as much of the checkout as can be read
    return staleness(said, checkout, file.name.removesuffix(_CACHE_END))


def _object(file: Path) -> dict[str, Any]:
    read = json.loads(file.read_bytes())
    if not isinstance(read, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - of a file, not of an argument
    return read


def _some(texts: list[str], between: str) -> str:
    left = len(texts) - _MOST_NAMED
    return between.join(texts[:_MOST_NAMED]) + (f"{between}and {left} more" if left > 0 else "")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
