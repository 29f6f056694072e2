"""A duty outlives what one round of it meets, and ends with its block."""

import logging
import threading

import pytest

from worker.supervisor.duty import Duty


class Faulty(Duty):
    """Fails in every round."""

    def __init__(self) -> None:
        super().__init__("the faulty duty")
        self.rounds = 0
        self.third = threading.Event()

    @property
    def patience_s(self) -> float:
        """Hardly any."""
        return 0.001

    def round(self) -> None:
        """Fail, and count."""
        self.rounds += 1
        if self.rounds == 3:
            self.third.set()
        raise LookupError("the row is gone")


def test_a_fault_in_one_round_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its stack, and the next round comes."""
    with caplog.at_level(logging.ERROR), Faulty() as duty:
        assert duty.third.wait(10)
    assert "the faulty duty met what it does not know" in caplog.text
    assert "LookupError: the row is gone" in caplog.text


def test_it_ends_with_its_block() -> None:
    """No thread is left."""
    with Faulty() as duty:
        pass
    assert not duty._thread.is_alive()
