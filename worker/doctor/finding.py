"""One thing that a doctor has looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it is; the worst of all is the command's exit code."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, how it is, what was found, and what to do where it is not well.

    Attributes:
        ids: Of the tasks that it is about: the first of them.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
    ids: tuple[str, ...] = ()
