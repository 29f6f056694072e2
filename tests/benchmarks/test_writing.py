"""The figures of a run in docs/benchmarks.md: pasted between two comments, or refused."""

import json
import runpy
from typing import Any

import pytest

from tests.benchmarks.machine import ROOT, machine_facts
from tests.benchmarks.report import SCHEMA, Figure, Report

TOOL = runpy.run_path(str(ROOT / "tools" / "write_benchmarks.py"))
written = TOOL["written"]
PAGE = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n"


def a_run(**changed: Any) -> dict[str, Any]:
    """Return what a run writes, read back."""
    report = Report()
    report.add(Figure(name="P1", what="a span", unit="µs", ours=(1.0, 2.0, 3.0)))
    return json.loads(json.dumps(report.as_json(machine_facts()))) | changed


def test_figures_stand_between_the_comments() -> None:
    """With their machine; nothing else is changed."""
    page = written(PAGE, a_run())
    assert page.startswith("before\n<!-- figures -->\nOf 20")
    assert page.endswith("|\n<!-- end of figures -->\nafter\n")
    assert "| P1 | a span |  | 2 (1..3) µs |" in page
    assert "old" not in page


def test_they_can_be_written_again() -> None:
    """Over those of an earlier run."""
    run = a_run()
    assert written(written(PAGE, run), run) == written(PAGE, run)


def test_the_page_has_the_place() -> None:
    """Where `tools/write_benchmarks.py` writes."""
    assert "| P1 | a span |" in written(TOOL["PAGE"].read_text(encoding="utf-8"), a_run())


def test_both_know_one_schema() -> None:
    """The run's and the tool's."""
    assert TOOL["SCHEMA"] == SCHEMA


@pytest.mark.parametrize(
    ("changed", "said"), [({"quick": True}, "quick sizes"), ({"schema": "x/2"}, "schema = 'x/2'")]
)
def test_what_is_no_figure_is_refused(changed: dict[str, Any], said: str) -> None:
    """By what it says of itself."""
    with pytest.raises(SystemExit, match=said):
        written(PAGE, a_run(**changed))


def test_a_page_without_the_place_is_refused() -> None:
    """Rather than written somewhere."""
    with pytest.raises(SystemExit, match="has no <!-- figures -->"):
        written("a page\n", a_run())
