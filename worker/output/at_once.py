"""Several requests to a storage at once: each takes a round trip, however little it asks."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

_MOST: Final = 4
_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def at_once(do: Callable[[_Item], _Answer], items: Sequence[_Item]) -> list[_Answer]:
    """Do one thing to each, a few at a time; return what came of them, in order.

    All of them are over when it returns, or raises what the first of those that failed has raised.
    What is logged meanwhile belongs to the span that is current here.
    """
    if len(items) <= 1:
        return [do(item) for item in items]
    contexts = [copy_context() for _ in items]
    with ThreadPoolExecutor(min(_MOST, len(items)), thread_name_prefix="storage") as pool:
        begun = [
            pool.submit(context.run, do, item)
            for context, item in zip(contexts, items, strict=True)
        ]
    return [one.result() for one in begun]
