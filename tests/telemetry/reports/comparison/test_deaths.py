"""Real processes that died, side by side: what they left is compared, and nothing is made up."""

from pathlib import Path

import pytest

from telemetry.death import close_dead, from_returncode
from telemetry.journal import process_directories
from telemetry.reports.case import Case
from telemetry.reports.comparison.compare import compare
from telemetry.reports.trace import read_trace
from tests.telemetry.reports import test_golden as golden
from tests.telemetry.reports.golden import program


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Let a segment end in each way, in a process of its own; gather the cases."""
    return {
        name: ended(tmp_path_factory.mktemp(name) / "spool", name.partition("-")[0])
        for name in ("segfault-1", "segfault-2", "sigkill", "exception")
    }


def ended(spool: Path, fault: str) -> Case:
    """Let a segment meet a fault, and gather its case."""
    for what in ("lead", fault):
        done = golden.run(what, spool)
        assert done.returncode == (golden.DEATHS[fault] if what == fault else 0), done.stderr
    code = golden.DEATHS[fault]
    [directory] = [one for one in process_directories(spool) if "-task-" in one.name]
    died = from_returncode(code, at_ns=golden.DIED_NS) if code else None
    error = close_dead(directory, died) if died else None
    model = read_trace(spool, program.TASK)
    assert model is not None
    return golden.case_of(error or model.errors[-1], model, spool)


def test_the_same_death_twice_is_the_same_failure(ends: dict[str, Case]) -> None:
    """Two processes, two journals, one fault."""
    found = compare(ends["segfault-1"], ends["segfault-2"])
    assert (found.alike, found.divergences) == ("the same failure", [])


def test_other_deaths_are_different_failures(ends: dict[str, Case]) -> None:
    """They may strike at the same point: then that is where the ways part."""
    found = compare(ends["segfault-1"], ends["sigkill"])
    assert found.alike == "different failures"
    assert found.divergences[-1].parts
    assert "SIGSEGV" in found.says
    assert "SIGKILL" in found.says


def test_a_death_and_an_exception_are_told_apart(ends: dict[str, Case]) -> None:
    """Each with what it left: a signal, or an exception's type."""
    found = compare(ends["exception"], ends["segfault-1"])
    [signal] = [one for one in found.crash if one.name == "signal"]
    assert (signal.a, signal.b, signal.matters) == (None, "SIGSEGV", True)
    assert found.b.crash is not None
    assert found.b.crash.pattern.startswith("it ended ")
