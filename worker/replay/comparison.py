"""What differs between an attempt and its replay, and what it was done with."""

from collections.abc import Mapping
from typing import Any

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.company import DifferenceFound
from telemetry.reports.completeness import completeness
from telemetry.reports.findings import FailureFound
from telemetry.reports.places import place_text
from telemetry.reports.progress import loop, stages, steps

# Of a failure, in the order in which people ask.
_ASKED = ("kind", "type", "message", "place", "stage", "expression", "signal", "exit_code")


def failures(then: FailureFound, now: FailureFound) -> list[DifferenceFound]:
    """Return what differs between two failures: how, where and with what."""
    told = [(name.replace("_", " "), getattr(then, name), getattr(now, name)) for name in _ASKED]
    told.append(("line", _line(then), _line(now)))
    told.append(("fingerprint", then.fingerprint, now.fingerprint))
    return [
        DifferenceFound(name=name, this=this, other=other)
        for name, this, other in told
        if this != other
    ]


def progress(then: Attempt | None, now: Attempt | None) -> list[DifferenceFound]:
    """Return what differs in how far two attempts got.

    Nothing where one is not recorded whole: where a record ends is not where its attempt did.
    """
    if then is None or now is None or not completeness(then, "").complete:
        return []
    reached = ((name, how(then), how(now)) for name, how in _REACHED.items())
    return [
        DifferenceFound(name=name, this=this, other=other)
        for name, this, other in reached
        if this != other
    ]


def surroundings(then: Attempt | None, now: Attempt | None) -> list[DifferenceFound]:
    """Return what differs in what two attempts were done with, as far as both have said it."""
    if then is None or now is None:
        return []
    this, other = _used(then), _used(now)
    return [
        DifferenceFound(name=name, this=this[name], other=other[name])
        for name in this
        if name in other and this[name] != other[name]
    ]


def _line(failure: FailureFound) -> str:
    return place_text(failure.location, own=failure.own)


def _stage(attempt: Attempt) -> str:
    found = stages(attempt)
    return found[-1].name if found else ""


def _loop(attempt: Attempt) -> str:
    found = loop(attempt)
    return f"{found.completed} of {found.total}" if found.total else ""


def _steps(attempt: Attempt) -> str:
    found = steps(attempt)
    return f"{found.completed} of {found.total}" if found.total else ""


_REACHED = {"last stage": _stage, "parameter loop": _loop, "denoising steps": _steps}


def _used(attempt: Attempt) -> Mapping[str, Any]:
    """Return versions and what the engine was told of its device, by name."""
    used: dict[str, Any] = {}
    for part in attempt.parts:
        if part.facts.role == "task":
            used["loop26"] = part.facts.version
            used["engine"] = part.facts.facts.get("engine")
    for call in attempt.named(names.engine("load")):
        for name, value in call.attributes.items():
            if name.startswith(names.ENGINE_PARAM):
                used[name.removeprefix(names.ENGINE_PARAM)] = value
    return used
