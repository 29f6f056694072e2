"""When a request is begun."""

import math
from collections.abc import Sequence
from typing import Any

from telemetry.journal import ProcessFacts
from telemetry.shipper.delivery import Answer, Verdict
from telemetry.shipper.follower import Follower, Mark, Select
from telemetry.shipper.sender import Sender

from .conftest import spans_of


class SlowStream:
    """A backend that takes as many seconds for each answer as it is told."""

    name = "slow"
    optional = False
    batch_size = 1
    most_waiting = 100

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.now_s = 0.0
        self.given: list[float] = []

    def selection(self) -> Select:
        """Return what picks ended spans."""
        return lambda _record, finished, _folder: finished

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Take one item, or as long as there was."""
        del facts, items
        self.given.append(timeout_s)
        self.now_s += min(self.takes_s, timeout_s)
        in_time = self.takes_s <= timeout_s
        return Answer(Verdict.ACCEPTED if in_time else Verdict.LATER, unanswered=not in_time)

    def close(self) -> None:
        """There is nothing to close."""


def sent_within(script: Any, seconds: float, takes_s: float) -> tuple[SlowStream, Sender]:
    """Send 20 spans, one at a time, for as long as there is."""
    spans_of(script, 20)
    stream = SlowStream(takes_s)
    sender = Sender(stream, lambda: stream.now_s)
    follower = Follower(script.directory, stream, Mark())
    follower.pull(lambda: seconds, dead=False)
    sender.send_all(follower, lambda: seconds - stream.now_s, lambda _follower: None)
    return stream, sender


def test_nothing_is_begun_that_would_be_given_up(script: Any) -> None:
    """At a shutdown: the second answer might come too late."""
    stream, sender = sent_within(script, 2.9, takes_s=1.0)
    assert (stream.given, sender.exported, sender.unanswered) == ([2.9], 1, 0)


def test_what_there_is_time_for_is_sent(script: Any) -> None:
    """A backend that answers at once gets all of it."""
    stream, sender = sent_within(script, 2.0, takes_s=0.01)
    assert (len(stream.given), sender.exported) == (20, 20)


def test_a_backend_that_gave_no_answer_is_not_asked_in_less_time(script: Any) -> None:
    """It has what it was sent, perhaps; asked again, it would have it three times."""
    stream, sender = sent_within(script, 3.0, takes_s=9.0)
    assert (len(stream.given), sender.exported, sender.unanswered) == (1, 0, 1)
    sender.retry_now()
    assert not sender._may_begin(5.9)
    assert sender._may_begin(6.1)


class RefusingStream(SlowStream):
    """A backend that refuses each item, or the first ones."""

    most_waiting = 1000

    def __init__(self, refused: float) -> None:
        super().__init__(0.01)
        self.refused = refused

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Refuse."""
        super().send(facts, items, timeout_s)
        is_refused = len(self.given) <= self.refused
        return Answer(Verdict.REFUSED if is_refused else Verdict.ACCEPTED)


def ask(script: Any, stream: RefusingStream, seconds: float) -> Sender:
    """Send 500 spans, each time that the backend may be asked, for as long as there is."""
    spans_of(script, 500)
    sender = Sender(stream, lambda: stream.now_s)
    follower = Follower(script.directory, stream, Mark())
    follower.pull(lambda: seconds, dead=False)
    while stream.now_s < seconds and follower.waiting:
        sender.send_all(follower, lambda: 9.0, lambda _follower: None)
        stream.now_s += 0.1
    return sender


def test_a_backend_that_refuses_everything_is_asked_ever_less(script: Any) -> None:
    """Its operator will mend it; until then what it gets is lost."""
    stream = RefusingStream(math.inf)
    assert 10 < ask(script, stream, 600.0).refused < 25
    assert len(stream.given) < 25


def test_a_few_items_that_are_refused_hold_nothing_up(script: Any) -> None:
    """The backend is well, they are at fault."""
    stream = RefusingStream(8)
    sender = ask(script, stream, 60.0)
    assert (sender.refused, sender.exported) == (8, 492)
    assert stream.now_s < 5.2  # 500 answers in 0.01 s each


def test_a_backend_that_takes_items_again_gets_them_at_once(script: Any) -> None:
    """All that were kept."""
    stream = RefusingStream(12)
    sender = ask(script, stream, 60.0)
    assert (sender.refused, sender.exported) == (12, 488)
