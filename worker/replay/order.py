"""What the fresh process is told: a file in the replay's own folder."""

from pathlib import Path
from typing import Any

import msgspec

from worker.messages import Configure, decode, encode
from worker.task import Claim


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """A model's defaults: its keys and values, in the order of the loop."""

    model: str
    values: list[tuple[str, Any]]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """All that the fresh process needs to know.

    Attributes:
        configure: As a supervisor configures its task process.
        claim: The task, as it was claimed.
        defaults: What the engine is to answer with; None for its own.
        stop: Whether to stop in the debugger where the task fails.
    """

    configure: Configure
    claim: Claim
    defaults: Defaults | None = None
    stop: bool = False


def write(order: Order, path: Path) -> None:
    """Write an order. Raises `ValueError` for text that is no Unicode."""
    path.write_bytes(encode(order))


def read(path: Path) -> Order:
    """Read what `write` wrote."""
    return decode(path.read_bytes(), Order)
