"""Faults of telemetry are counted, and raised under pytest alone."""

import pytest

from telemetry.recorder.guard import Guard


def test_a_fault_is_raised_under_pytest_and_counted() -> None:
    """A test must not pass over one; see test_processes for what happens elsewhere."""
    guard = Guard()
    with pytest.raises(ZeroDivisionError), guard:
        1 / 0  # noqa: B018 - the fault

    assert guard.faults == 1
    assert guard.last.startswith(f"ZeroDivisionError at {__file__}:")


def test_what_is_no_fault_of_telemetry_is_not_counted() -> None:
    """A KeyboardInterrupt that arrives here is the task's."""
    guard = Guard()
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt

    assert guard.faults == 0
