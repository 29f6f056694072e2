"""What every benchmark has: the report that its figures go to, and a home to work in.

`--bench-quick` cuts the sizes down, `--bench-json FILE` writes the report as JSON, too.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import Console

from tests.acceptance.home import Home, home_at
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.report import Figure, Report

T = TypeVar("T")
REPORT = pytest.StashKey[Report]()
WIDTH = 400  # as much as it needs: cut off or folded in figures it could not be read


class Bench:
    """Where a benchmark leaves its figures.

    Args:
        report: The run's.
        name: The benchmark's, as in docs/benchmarks.md.
    """

    def __init__(self, report: Report, name: str) -> None:
        self._report = report
        self._name = name

    def pick(self, full: T, quick: T) -> T:
        """Choose a size: for figures, or for seeing that all of it works."""
        return quick if self._report.quick else full

    def add(
        self, what: str, unit: str, ours: Sequence[float], theirs: Sequence[float] = (), **said: str
    ) -> None:
        """Report a cost; `said` is the rest of `report.Figure`."""
        figure = Figure(
            name=said.pop("name", self._name),
            what=what,
            unit=unit,
            ours=tuple(ours),
            theirs=tuple(theirs),
            **said,
        )
        self._report.add(figure)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make bench`."""
    group = parser.getgroup("benchmarks")
    group.addoption("--bench-quick", action="store_true", help="small sizes: does all of it work?")
    group.addoption("--bench-json", metavar="FILE", type=Path, help="write the figures there, too")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run's report."""
    config.stash[REPORT] = Report(quick=bool(config.getoption("--bench-quick", default=False)))


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """Give the benchmark of this test's mark: `@pytest.mark.benchmark("P1")`."""
    mark = request.node.get_closest_marker("benchmark")
    assert mark is not None
    (name,) = mark.args
    return Bench(request.config.stash[REPORT], name)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give an empty home; whatever runs in it is ended with the test."""
    with home_at(tmp_path) as home:
        yield home


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, and write the JSON where that was asked for."""
    report = config.stash[REPORT]
    if not report.figures:
        return
    machine = machine_facts()
    terminalreporter.section("benchmarks")
    terminalreporter.write(drawn(report))
    terminalreporter.write_line(", ".join(f"{name}: {value}" for name, value in machine.items()))
    written = config.getoption("--bench-json", default=None)
    if written is not None:
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(report.as_json(machine), indent=1) + "\n", encoding="utf-8")
        terminalreporter.write_line(f"written to {written}")


def drawn(report: Report) -> str:
    """Draw the table as text."""
    stream = io.StringIO()
    Console(file=stream, width=WIDTH).print(report.table())
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
