"""How many events Sentry gets: a flood of one failure tells no more than its first hundred.

Servers have quotas, and drop what comes beyond them without a word. What is held back here is
counted, and the next event of its kind says how many there were.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

_KINDS: Final = 1000  # of failures that are remembered; the one seen longest ago is forgotten first


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many events are sent.

    Attributes:
        of_one: Events of one failure in a window. Of those that follow in it, every one is sent
            whose number is a power of two: 5,000 of a kind are 100 events and 6 more.
        in_all: Events in a window, of whatever failures. What comes beyond that waits for the next
            window; it is not held back.
        window_s: Seconds.
    """

    of_one: int = 100
    in_all: int = 180  # 900 in five minutes: Bugsink takes 1000
    window_s: float = 60.0


class Admission(NamedTuple):
    """What becomes of an event.

    Attributes:
        sends: Whether it goes out.
        wait_s: Seconds until it may be asked about again, when it neither goes nor is held back.
        held_back: How many of its kind were, since the last one went out.
        begins: Whether it is the first of its kind to be held back in this window.
    """

    sends: bool
    wait_s: float = 0.0
    held_back: int = 0
    begins: bool = False


@dataclass(slots=True, kw_only=True)
class _Kind:
    seen: int = 0  # in this window, those that went out with those held back
    held_back: int = 0  # since the last one that went out, in whatever window
    is_flood: bool = False  # whether any was in this window


class Turnstile:
    """Lets events through by a quota; for one thread.

    Args:
        quota: How many.
        clock: Seconds that never go back.
    """

    def __init__(self, quota: Quota, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._clock = clock
        self._opened_at = clock()
        self._passed = 0
        self._kinds: OrderedDict[str, _Kind] = OrderedDict()

    def admits(self, fingerprint: str) -> Admission:
        """Say whether an event may go out now; one that is held back counts as done.

        One that may go is counted when `went` is called: asked about twice, it is one event.
        """
        self._turn()
        kind = self._kind(fingerprint)
        number = kind.seen + 1
        if number > self._quota.of_one and number & (number - 1):
            kind.seen = number
            kind.held_back += 1
            begins, kind.is_flood = not kind.is_flood, True
            return Admission(sends=False, held_back=kind.held_back, begins=begins)
        if self._passed >= self._quota.in_all:
            return Admission(sends=False, wait_s=self._ends_in_s)
        return Admission(sends=True, held_back=kind.held_back)

    def went(self, fingerprint: str) -> None:
        """Count an event that has gone out, with the number of those that were held back."""
        kind = self._kind(fingerprint)
        kind.seen += 1
        kind.held_back = 0
        self._passed += 1

    @property
    def _ends_in_s(self) -> float:
        return max(0.0, self._opened_at + self._quota.window_s - self._clock())

    def _turn(self) -> None:
        """Begin a window when the one before is over."""
        if self._ends_in_s:
            return
        self._opened_at, self._passed = self._clock(), 0
        for kind in self._kinds.values():
            kind.seen, kind.is_flood = 0, False

    def _kind(self, fingerprint: str) -> _Kind:
        kind = self._kinds.setdefault(fingerprint, _Kind())
        self._kinds.move_to_end(fingerprint)
        while len(self._kinds) > _KINDS:
            self._kinds.popitem(last=False)
        return kind
