"""The two ways in which a checkout may be called, and which of them one has: found by looking."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from worker.engines.wan2gp.arguments import Arguments, Entry
from worker.engines.wan2gp.checkout import ENTRIES
from worker.engines.wan2gp.errors import CheckoutUnusable
from worker.engines.wan2gp.listener import Listener

# Called with what asks the engine to stop; makes the listener of one generation.
MakeListener = Callable[[Callable[[], None]], Listener]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is known of a generation when its call is over.

    Attributes:
        files: Those that the engine says it has made, in order.
        listener: What heard its callback; None where it never came so far.
        escaped: What has left its entry.
        failed: What it says of a failure, "" where it says none.
        stage: What it calls the part in which it failed.
    """

    files: tuple[str, ...]
    listener: Listener | None
    escaped: BaseException | None
    failed: str = ""
    stage: str = ""


class Api(Protocol):
    """A checkout that can be called. One job at a time, from one thread."""

    name: str
    module: Any
    entry: Entry
    ours: tuple[str, ...]

    def generate(self, arguments: Arguments, make_listener: MakeListener) -> Said:
        """Generate, and return what is known of it; what it has raised itself is in there."""
        ...

    def leftover_abort(self) -> bool:
        """Whether an earlier job has left a wish to stop, which would end the next; takes it."""
        ...


def entry_of(module: Any, root: Path) -> Entry:
    """Return the function that generates. Raises `CheckoutUnusable` where there is none."""
    for name in ENTRIES:
        function = getattr(module, name, None)
        if callable(function):
            return Entry.of(name, function)
    raise CheckoutUnusable(root, f"has none of {', '.join(ENTRIES)} in its wgp.py")
