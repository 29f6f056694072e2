"""The report of a run: ratios, growth, the table, the JSON, and the machine it names."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.conftest import drawn
from tests.benchmarks.machine import machine_facts, processor
from tests.benchmarks.report import Figure, Report, Spread

CPUINFO = "processor\t: 0\nvendor_id\t: Some\nmodel name\t: Some Processor 9000\nmodel name\t: x\n"


def a_figure(**changed: object) -> Figure:
    """Make a figure that is compared with another."""
    given = {
        "name": "P1",
        "what": "a span",
        "unit": "µs",
        "size": "5 attributes",
        "ours": (2.0, 1.0, 3.0),
        "beside": "the SDK",
        "theirs": (4.0, 4.0, 4.0),
    }
    return Figure(**{**given, **changed})


def test_a_spread_is_the_median_and_both_ends() -> None:
    """Not the mean: one turn in which the machine did something else is no figure."""
    assert Spread.of([9.0, 1.0, 2.0]) == (2.0, 1.0, 9.0)


def test_ratios_are_of_each_turn_by_itself() -> None:
    """What weighs on a turn weighs on both halves of it."""
    figure = a_figure(ours=(1.0, 20.0), theirs=(2.0, 40.0))
    assert figure.ratios == (0.5, 0.5)


def test_a_figure_beside_which_there_is_nothing_has_no_ratio() -> None:
    """And its cells are empty."""
    report = Report()
    report.add(a_figure(beside="", theirs=()))
    assert a_figure(beside="", theirs=()).ratios == ()
    assert report.cells(report.figures[0])[4:7] == ("", "", "")


def test_samples_that_are_not_of_the_same_turns_are_refused() -> None:
    """With both counts."""
    with pytest.raises(ValueError, match="3 samples beside 1"):
        a_figure(theirs=(4.0,))


def test_a_figure_without_samples_is_refused() -> None:
    """By its name."""
    with pytest.raises(ValueError, match="P1, a span: there are no samples"):
        a_figure(ours=(), theirs=())


def test_growth_is_over_the_first_size_of_a_series() -> None:
    """Another name, another comparison or another thing is another series."""
    report = Report()
    small, large = a_figure(size="1"), a_figure(size="10", ours=(20.0, 20.0, 20.0))
    alone = a_figure(beside="logfire", ours=(8.0, 8.0, 8.0))
    for figure in (small, large, alone):
        report.add(figure)
    assert [report.growth(figure) for figure in (small, large, alone)] == [1.0, 10.0, None]


def test_the_table_is_in_the_order_of_the_names() -> None:
    """P2 before P10, the others last; those of one name as they came."""
    report = Report()
    for name, what in (("A1", "e"), ("P10", "d"), ("P2", "b"), ("P2", "c"), ("P1", "a")):
        report.add(a_figure(name=name, what=what))
    assert [figure.what for figure in report.ordered()] == ["a", "b", "c", "d", "e"]


def test_the_table_shows_medians_and_spreads() -> None:
    """Of ours, of theirs and of the ratio."""
    report = Report()
    report.add(a_figure())
    shown = drawn(report)
    for text in ("2 (1..3) µs", "4 µs", "0.5 (0.25..0.75)", "the SDK", "5 attributes"):
        assert text in shown


def test_no_column_is_cut_off() -> None:
    """However much there is to say in each."""
    report = Report()
    words = "a way to do the same that takes many words to tell of " * 2
    report.add(
        a_figure(
            what=words,
            size=words,
            beside=words,
            ours=(1234.5, 0.00123),
            theirs=(0.00777, 4321.5),
            goal="0.5 with 5",
        )
    )
    report.add(a_figure(what=words, beside=words, size="more"))
    shown = " ".join(drawn(report).split())
    assert all(word in shown for word in ("goal", "grows", "ratio"))
    assert "0.5 with 5" in shown
    assert "…" not in shown


def test_a_ratio_near_one_is_told_more_exactly() -> None:
    """1.004 is within a goal of 1.01, and 1.0 would not say so."""
    assert str(Spread.of([1.004])) == "1.004"
    assert str(Spread.of([12345.6])) == "12,346"
    assert str(Spread.of([0.01234])) == "0.0123"


def test_quick_figures_say_that_they_are_none() -> None:
    """In the table and in the JSON."""
    report = Report(quick=True)
    report.add(a_figure())
    assert "Quick sizes" in drawn(report)
    assert report.as_json({})["quick"] is True


def test_the_json_holds_the_samples_and_what_was_made_of_them() -> None:
    """Whoever doubts a median can make it again."""
    report = Report()
    report.add(a_figure())
    written = json.loads(json.dumps(report.as_json({"cpu": "some"})))
    assert written["schema"] == "loop26-benchmarks/1"
    assert written["machine"] == {"cpu": "some"}
    [figure] = written["figures"]
    assert figure["ours"] == {"median": 2.0, "min": 1.0, "max": 3.0, "samples": [2.0, 1.0, 3.0]}
    assert figure["ratio"]["samples"] == [0.5, 0.25, 0.75]
    assert figure["grows"] is None
    assert len(figure["cells"]) == len(written["headings"])


def test_the_machine_is_named() -> None:
    """With all that a reader needs to compare it with theirs."""
    facts = machine_facts()
    assert set(facts) == {
        *("date", "commit", "cpu", "cores", "memory_bytes", "kernel", "python"),
        *("packages", "load_average"),
    }
    assert all(facts[name] for name in ("date", "cpu", "cores", "memory_bytes", "kernel"))
    assert "msgspec" in facts["packages"]


def test_the_processor_is_named_as_linux_names_it(tmp_path: Path) -> None:
    """By the first of its kind."""
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    assert processor(tmp_path / "cpuinfo") == "Some Processor 9000"


def test_a_processor_without_a_name_is_its_architecture(tmp_path: Path) -> None:
    """As on ARM."""
    assert processor(tmp_path / "none")
