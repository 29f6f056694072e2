"""What an engine's exceptions were raised in the handling of, where it says that nobody asks."""

from typing import Final

_LONGEST_CHAIN: Final = 24


def unhidden(exc: BaseException) -> BaseException:
    """Return an exception with what `raise … from None` has hidden of it in its chain.

    Who writes that means that the first exception is of no interest to a caller. It is to whoever
    looks for the line.
    """
    link: BaseException | None = exc
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            break
        if link.__cause__ is None and link.__context__ is not None:
            link.__suppress_context__ = False
        link = link.__cause__ or link.__context__
    return exc
