"""The pictures that a task names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A path or URL, and the dotted path of the payload at which it stands."""

    source: str
    field: str
