"""What differs between two attempts: parameters, what they ran on, how far they came."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.reports.attempt import Attempt
from telemetry.reports.company import DifferenceFound
from telemetry.reports.findings import EnvironmentFound, ParamFound
from telemetry.reports.trace import ProcessPart

# They differ from run to run, and explain nothing.
_UNTOLD: Final = frozenset({"pid", "supervisor_pid", "worker_id"})


def environment(attempt: Attempt | None) -> EnvironmentFound:
    """Return where an attempt ran: host, version, and what its task process said of itself."""
    part = _part_of(attempt) if attempt else None
    if part is None:
        return EnvironmentFound(host="", loop26="", facts={})
    return EnvironmentFound(
        host=part.facts.host, loop26=part.facts.version, facts=dict(part.facts.facts)
    )


def _part_of(attempt: Attempt) -> ProcessPart | None:
    """Return what the process recorded that ran the attempt; without it, the supervisor's."""
    ran = [one for one in attempt.parts if any(begin is attempt.begin for begin, _ in one.tasks)]
    found = [one for one in attempt.parts if one.facts.role == "task"]
    return next(reversed([*attempt.parts, *found, *ran]), None)


def of_params(this: Sequence[ParamFound], other: Sequence[ParamFound]) -> list[DifferenceFound]:
    """Return the parameters whose values differ, in the order of `this`."""
    return of_values(
        {param.name: param.value for param in this if param.source},
        {param.name: param.value for param in other if param.source},
    )


def of_environments(this: EnvironmentFound, other: EnvironmentFound) -> list[DifferenceFound]:
    """Return what differs in where two attempts ran; nothing where that is not known of one."""
    if not (this.host and other.host):
        return []
    return of_values(_plain(this), _plain(other))


def of_values(this: Mapping[str, Any], other: Mapping[str, Any]) -> list[DifferenceFound]:
    """Return what differs between two mappings; None where a side does not have it."""
    return [
        DifferenceFound(name=name, this=this.get(name), other=other.get(name))
        for name in dict.fromkeys([*this, *other])
        if name not in this or name not in other or not _is_same(this[name], other[name])
    ]


def _is_same(this: Any, other: Any) -> bool:
    """Whether two values are the same to a person: True is not 1, and what is no number is."""
    if isinstance(this, bool) is not isinstance(other, bool):
        return False
    return bool(this == other) or (this != this and other != other)  # noqa: PLR0124 - NaN alone


def _plain(environment: EnvironmentFound) -> dict[str, Any]:
    facts = {name: value for name, value in environment.facts.items() if name not in _UNTOLD}
    return {"host": environment.host, "loop26": environment.loop26, **facts}
