"""How deep the queue is: how many tasks wait, of which type, and for how long."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MOST_COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The Queued tasks of one type.

    Attributes:
        ready: How many wait for a worker alone.
        held: How many wait for a dependency, or for the end of a delay.
        oldest_s: For how long the oldest of the ready ones has waited, by the store's clock.
    """

    task_type: str
    ready: int = 0
    held: int = 0
    oldest_s: float = 0.0


class TellsDepth(Protocol):
    """The part of a store that says how deep the queue is."""

    def depths(self, task_types: Sequence[str]) -> list[Depth]:
        """Count what is Queued of each of these types; of `MOST_COUNTED` the oldest at the most."""
        ...


def of_each(task_types: Sequence[str], found: Iterable[Depth]) -> list[Depth]:
    """Add the types of which nothing is queued, and return all in the order that was asked."""
    there = {depth.task_type: depth for depth in found}
    return [there.get(name) or Depth(task_type=name) for name in task_types]
