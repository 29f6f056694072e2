"""Sends what followers hold to one backend, batch after batch, and waits when it is down."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from telemetry.errors import Unencodable
from telemetry.shipper.delivery import Answer, Verdict
from telemetry.shipper.follower import Follower, Stream

_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 60.0
_LONGEST_ASKED_S: Final = 300.0
_SHORTEST_TIMEOUT_S: Final = 0.1
_MARGIN: Final = 2.0  # times as long as its last answer a backend may take for the next
_MOST_REASONS: Final = 8
# So many items in a row are at fault themselves; where more are refused, it may be the backend.
_REFUSED_IN_A_ROW: Final = 8
# A batch is refused for one of its items, as a rule: sent in halves, that one remains alone.
_HALVED: Final = frozenset({Verdict.TOO_LARGE, Verdict.REFUSED})

_log = logging.getLogger(__name__)


class Sender:
    """One stream's way to its backend.

    Attributes:
        exported: Items that the backend has acknowledged.
        held_back: Items that were not sent, to keep a quota of ours.
        refused: Items that it refused for good; the first refusal of each kind is logged.
        failures: Requests that could not be made, had no answer, or were answered with "not now"
            or "not here"; the first of a kind is logged, until one succeeds.
        unanswered: Of these, those that had gone out and had no answer.
        down: Whether the newest request failed.
        absent: Whether it failed because the backend has no place for this kind of telemetry, as
            Jaeger has none for logs; not where it has taken some.
    """

    def __init__(
        self,
        stream: Stream,
        clock: Callable[[], float],
        passes_over: Callable[[Path], bool] = lambda _directory: False,
    ) -> None:
        """Make one.

        Args:
            stream: What it sends, and how.
            clock: Monotonic seconds.
            passes_over: Asked of a dead process's journal whether nothing in it is to be sent.
        """
        self.stream = stream
        self.passes_over = passes_over
        self.exported = 0
        self.held_back = 0
        self.refused = 0
        self.failures = 0
        self.unanswered = 0
        self.down = False
        self.absent = False
        self._clock = clock
        self._took_s = 0.0
        self._delay_s = 0.0
        self._not_before = clock()
        self._refused_in_a_row = 0
        self._refusals: set[str] = set()
        self._failures: set[int] = set()

    def retry_now(self) -> None:
        """Ask the backend again at once, whatever it said before."""
        self._not_before = self._clock()

    def send_all(
        self,
        follower: Follower,
        remaining: Callable[[], float],
        acknowledged: Callable[[Follower], None],
    ) -> bool:
        """Send what is waiting; False if some of it still waits.

        Args:
            follower: Of this sender's stream.
            remaining: Seconds left. Nothing is begun that would not be answered in them, going by
                the newest request: what is given up may have been taken, and is sent twice.
            acknowledged: Called after each batch, to note how far the backend has come.
        """
        size = self.stream.batch_size
        while follower.waiting and self._may_begin(remaining()):
            count = min(size, follower.waiting)
            answer = self._answer(follower, count, remaining())
            if answer.verdict in _HALVED and count > 1:
                size = count // 2
            elif answer.verdict is Verdict.LATER:
                self._failed(answer)
            else:
                self._passed(count, answer)
                follower.acknowledge(count)
                acknowledged(follower)
                # Where one item is refused, the next may be: batches grow again step by step.
                accepted = answer.verdict is Verdict.ACCEPTED
                size = min(2 * size, self.stream.batch_size) if accepted else 1
        return not follower.waiting

    def _may_begin(self, left_s: float) -> bool:
        return self._clock() >= self._not_before and left_s > _MARGIN * self._took_s

    def _answer(self, follower: Follower, count: int, timeout_s: float) -> Answer:
        begun = self._clock()
        try:
            return follower.send(count, max(_SHORTEST_TIMEOUT_S, timeout_s))
        except Unencodable as error:
            # Halved until it is alone, as what is too large is.
            return Answer(Verdict.TOO_LARGE, f"cannot be encoded: {error}")
        except Exception as error:  # noqa: BLE001 - no item's fault: it is kept, and said
            return Answer(Verdict.LATER, f"{type(error).__name__}: {error}")
        finally:
            self._took_s = self._clock() - begun

    def _passed(self, count: int, answer: Answer) -> None:
        accepted = answer.verdict is Verdict.ACCEPTED
        refused = min(answer.refused, count) if accepted else count
        self._refused_in_a_row = 0 if accepted else self._refused_in_a_row + 1
        self.refused += refused
        self.held_back += answer.held_back
        self.exported += count - refused - answer.held_back
        new = answer.reason not in self._refusals
        # A backend may say something new each time; what is said of it is a log record, too.
        if refused and new and len(self._refusals) < _MOST_REASONS:
            self._refusals.add(answer.reason)
            _log.warning("%s are refused and passed over: %s", self.stream.name, answer.reason)
        if self.down:
            _log.info("%s are shipped again", self.stream.name)
        self.down, self.absent = False, False
        self._failures.clear()
        if self._refused_in_a_row > _REFUSED_IN_A_ROW:
            self._wait(0.0)
        else:
            self._delay_s = 0.0

    def _failed(self, answer: Answer) -> None:
        self.failures += 1
        self.unanswered += answer.unanswered
        if answer.status not in self._failures:
            self._failures.add(answer.status)
            _log.warning(
                "%s cannot be shipped now and are kept: %s", self.stream.name, answer.reason
            )
        self.down = True
        self.absent = answer.absent and self.stream.optional and not self.exported
        self._wait(min(answer.retry_after_s, _LONGEST_ASKED_S))

    def _wait(self, at_least_s: float) -> None:
        """Ask no sooner than after a delay that doubles each time."""
        self._delay_s = min(max(2 * self._delay_s, _FIRST_DELAY_S), _LONGEST_DELAY_S)
        self._not_before = self._clock() + max(self._delay_s, at_least_s)
