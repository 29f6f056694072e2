"""Where else a task can be looked at: its row, its trace, its error, its report."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

_UUID_PARTS: Final = (0, 8, 12, 16, 20, 32)  # where the dashes stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Addresses with a blank in braces: {trace_id}, {event_id} or {event_uuid}, {task_id}.

    One that is empty leads nowhere: nothing is said of it. What fills a blank may be anything, as
    who wrote it is not known, and is quoted. User and password of an address go nowhere.
    """

    trace: str = ""
    event: str = ""
    task: str = ""
    report: str = ""

    def to_trace(self, trace_id: str) -> str:
        """Return the address of a trace."""
        return _filled(self.trace, trace_id=trace_id)

    def to_event(self, event_id: str) -> str:
        """Return the address of an error's event; its UUID has dashes where the id has none."""
        return _filled(self.event, event_id=event_id, event_uuid=_dashed(event_id))

    def to_task(self, task_id: str) -> str:
        """Return the address of a task where the operator's application shows it."""
        return _filled(self.task, task_id=task_id)

    def to_report(self, task_id: str) -> str:
        """Return the address at which the operator keeps the report on a task."""
        return _filled(self.report, task_id=task_id)

    def of_task(
        self, *, task_id: str = "", trace_id: str = "", event_id: str = ""
    ) -> dict[str, str]:
        """Return those addresses that there are, by what is there."""
        found: Mapping[str, str] = {
            "task": self.to_task(task_id),
            "trace": self.to_trace(trace_id),
            "issue": self.to_event(event_id),
            "report": self.to_report(task_id),
        }
        return {name: address for name, address in found.items() if address}


def _filled(template: str, **blanks: str) -> str:
    if not template or not all(blanks.values()):
        return ""
    parts = urlsplit(template)
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    for name, value in blanks.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    return address


def _dashed(event_id: str) -> str:
    if len(event_id) != len(UUID(int=0).hex) or not event_id.isalnum():
        return event_id
    return "-".join(event_id[start:end] for start, end in pairwise(_UUID_PARTS))
