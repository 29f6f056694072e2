"""What the forms of a report say in the same words."""

from telemetry.reports.sentences import death_text
from tests.telemetry.reports.test_summary import fault


def test_a_death_is_told_by_its_signal() -> None:
    """And by its code, where it has one."""
    died = fault(kind="death", signal="SIGSEGV", exit_code=-11)
    assert death_text(died) == "it died: SIGSEGV, exit code -11"


def test_a_hang_did_not_die_by_itself() -> None:
    """Its supervisor waited, and ended it."""
    assert death_text(fault(kind="hang", signal="SIGKILL")) == "its supervisor ended it: SIGKILL"


def test_what_was_raised_is_no_death() -> None:
    """It has neither signal nor code."""
    assert death_text(fault()) == ""
