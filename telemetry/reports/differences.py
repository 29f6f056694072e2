"""What differs between two attempts: parameters, what they ran on, how far they came."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.reports.attempt import Attempt
from telemetry.reports.findings import DifferenceFound, EnvironmentFound, ParamFound

# They differ from run to run, and explain nothing.
_UNTOLD: Final = frozenset({"pid", "supervisor_pid", "worker_id"})


def environment(attempt: Attempt | None) -> EnvironmentFound:
    """Return where an attempt ran: host, version, and what its task process said of itself."""
    parts = attempt.parts if attempt else []
    part = next((one for one in reversed(parts) if one.facts.role == "task"), None)
    part = part or (parts[-1] if parts else None)
    if part is None:
        return EnvironmentFound(host="", loop26="", facts={})
    return EnvironmentFound(
        host=part.facts.host, loop26=part.facts.version, facts=dict(part.facts.facts)
    )


def of_params(this: Sequence[ParamFound], other: Sequence[ParamFound]) -> list[DifferenceFound]:
    """Return the parameters whose values differ, in the order of `this`."""
    return of_values(
        {param.name: param.value for param in this if param.source},
        {param.name: param.value for param in other if param.source},
    )


def of_environments(this: EnvironmentFound, other: EnvironmentFound) -> list[DifferenceFound]:
    """Return what differs in where two attempts ran."""
    return of_values(_plain(this), _plain(other))


def of_values(this: Mapping[str, Any], other: Mapping[str, Any]) -> list[DifferenceFound]:
    """Return what differs between two mappings; None where a side does not have it."""
    return [
        DifferenceFound(name=name, this=this.get(name), other=other.get(name))
        for name in dict.fromkeys([*this, *other])
        if name not in this or name not in other or this[name] != other[name]
    ]


def _plain(environment: EnvironmentFound) -> dict[str, Any]:
    facts = {name: value for name, value in environment.facts.items() if name not in _UNTOLD}
    return {"host": environment.host, "loop26": environment.loop26, **facts}
