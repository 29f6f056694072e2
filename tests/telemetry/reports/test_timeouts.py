"""Verdicts on a hang in the loop, where the iteration in hand raised."""

from dataclasses import replace
from pathlib import Path

import pytest

from telemetry import names
from telemetry.records import Status
from telemetry.reports.findings import Investigation
from telemetry.reports.hypotheses import TIMEOUT
from telemetry.reports.investigate import investigate
from telemetry.reports.suspicions import is_timeout
from telemetry.spans import Span
from tests.telemetry.reports.recorded import Attempted
from tests.telemetry.reports.test_hypotheses import (
    damaged,
    is_too_slow,
    passes_through_phases,
    raising,
    said,
)


def after(attempted: Attempted, seconds: int) -> Investigation:
    """Investigate an attempt whose iteration raised after so long."""
    case = attempted.case()
    assert case.model is not None

    def later(span: Span) -> Span:
        failed = span.name == names.LOOP_ITERATION and span.status == Status.ERROR
        return replace(span, end_ns=span.start_ns + seconds * 10**9) if failed else span

    parts = tuple(
        replace(part, spans=tuple(map(later, part.spans))) for part in case.model.processes
    )
    return investigate(replace(case, model=replace(case.model, processes=parts)))


def test_the_iteration_that_raised_is_told_with_how_long_it_took(spool: Path) -> None:
    """It is not among those that ended well, and may be the slowest of all."""
    word, evidence = said(after(raising(spool, passes_through_phases, 9), 3), TIMEOUT)
    assert word == "ruled out"
    assert "iteration 9 (guidance_scale), which raised, took 3.00 s" in evidence


def test_an_iteration_that_raised_after_long_may_have_waited(spool: Path) -> None:
    """Whatever it raised."""
    word, evidence = said(after(raising(spool, passes_through_phases, 9), 12), TIMEOUT)
    assert word == "not decidable"
    assert evidence.startswith("ValueError was raised; it may have waited for something: ")
    assert "iteration 9 (guidance_scale), which raised, took 12.00 s" in evidence


def test_an_iteration_whose_end_is_lost_may_have_waited(spool: Path) -> None:
    """How long it took before it raised is not in the record."""
    attempted = raising(spool, passes_through_phases, 9)
    damaged(attempted, "guidance_scale")
    word, evidence = said(attempted.found(), TIMEOUT)
    assert word == "not decidable"
    assert evidence.startswith(
        "ValueError was raised; the record is incomplete: it does not have the end of the "
        "iteration that raised"
    )


def test_a_timeout_after_long_is_still_confirmed(spool: Path) -> None:
    """Its own type says it."""
    assert said(after(raising(spool, is_too_slow, 9), 12), TIMEOUT)[0] == "confirmed"


@pytest.mark.parametrize(
    "kind",
    [
        "mine.<locals>.DeadlineExceeded",
        "grpc.TimedOut",
        "subprocess.TimeoutExpired",
        "LeaseExpired",
        "WaitExpiredError",
        "socket.timeout",
    ],
)
def test_a_timeout_has_many_names(kind: str) -> None:
    """Each library has its own."""
    assert is_timeout(kind, "")


@pytest.mark.parametrize(
    "kind", ["deadline.Broken", "ExpiredSignatureError", "TokenExpired", "CertificateExpired"]
)
def test_what_is_no_longer_valid_is_no_timeout(kind: str) -> None:
    """Nothing was waited for; and a module's name says nothing."""
    assert not is_timeout(kind, "")
