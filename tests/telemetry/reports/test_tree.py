"""The tree, letter by letter."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from telemetry import death, names
from telemetry.records import Status
from telemetry.reports import tree
from telemetry.reports.trace import TraceModel, read_trace
from tests.telemetry.reports.test_attempt import about
from tests.telemetry.reports.test_endings import lose_end, stage

FAILED = """\
trace 0af7651916cd43dd8448eb211c80319c
1 task, 1 process; 43 spans, 43 ended
the record is complete

    +0.000      5.00 s  process travel_segment  consumer, task e040ae48, ERROR
    +0.001     39.0 ms  ├─ stage parameters  ERROR
                        │  │  ✗ AttributeError: 'NoneType' object has no attribute 'get'
                        │  │    raised at /engine/wgp.py:3907 in get_model_min_frames_and_step
    +0.001     12.9 ms  │  ├─ 32 × loop iteration  [1/32] to [32/32], slowest 500 µs key 26
    +0.036      1.0 ms  │  └─ engine model_def  wan_2_2
    +1.000      3.20 s  └─ stage generate
    +1.000    600.0 ms     ├─ 6 × denoise step  [1/6] to [6/6], slowest 100.0 ms [1/6]
    +2.000      2.00 s     └─ engine load  ERROR"""  # noqa: RUF001 - the sign is part of the text


def at_work(script: Any) -> None:
    """Write the beginning of a task: its parameters' loop and an error after it."""
    script.task("e040ae48")
    script.begin("process travel_segment", 0, kind=4, loop26__task__id="e040ae48")
    script.begin("stage parameters", 1)
    for index in range(1, 33):
        facts = {names.LOOP_INDEX: index, names.LOOP_COUNT: 32, names.PARAM_KEY: f"key {index}"}
        took = 0.5 if index == 26 else 0.4
        keys = {key.replace(".", "__"): value for key, value in facts.items()}
        script.span("loop iteration", index, index + took, **keys)
    script.span("engine model_def", 36, 37, loop26__engine__model="wan_2_2")
    script.error()
    script.end(40, Status.ERROR)


def failed(script: Any) -> None:
    """Write a whole task that failed."""
    at_work(script)
    script.begin("stage generate", 1000)
    for index in range(1, 7):
        facts = {"loop26__step__index": index, "loop26__step__count": 6}
        script.span("denoise step", 900 + 100 * index, 1000 + 100 * index, **facts)
    script.begin("engine load", 2000)
    script.end(4000, Status.ERROR)
    script.end(4200)
    script.end(5000, Status.ERROR)
    script.end_task("e040ae48", "Failed", 5000)


def model_of(spool: Path) -> TraceModel:
    """Read the trace of the task."""
    model = read_trace(spool, "e040ae48")
    assert model is not None
    return model


def test_a_failed_task_is_drawn_so(script: Any, spool: Path) -> None:
    """Times, branches, what is collapsed, the line that raised."""
    failed(script)
    assert tree.plain(model_of(spool)) == FAILED


def test_all_shows_each_iteration_with_its_value(script: Any, spool: Path) -> None:
    """`--all`."""
    failed(script)
    text = tree.plain(model_of(spool), everything=True)
    assert text.count("loop iteration") == 32
    assert "loop iteration  [26/32], key 26" in text
    assert text.count("denoise step") == 6


def test_an_iteration_that_failed_is_never_collapsed(script: Any, spool: Path) -> None:
    """It is the one that is looked for."""
    script.task("e040ae48")
    script.begin("stage parameters", 0)
    for index in range(1, 10):
        facts = {"loop26__loop__index": index, "loop26__loop__count": 32}
        script.begin("loop iteration", index, **facts)
        script.end(index + 0.1, Status.ERROR if index == 5 else Status.UNSET)
    lines = tree.plain(model_of(spool)).splitlines()
    assert [line[24:] for line in lines[5:]] == [
        "├─ 4 × loop iteration  [1/32] to [4/32], slowest 100 µs [1/32]",  # noqa: RUF001 - as above
        "├─ loop iteration  [5/32], ERROR",
        "└─ 4 × loop iteration  [6/32] to [9/32], slowest 100 µs [6/32]",  # noqa: RUF001 - as above
    ]


def test_a_running_task_shows_what_is_open(script: Any, spool: Path) -> None:
    """With no end and no duration."""
    at_work(script)
    script.begin("stage generate", 1000)
    text = tree.plain(model_of(spool))
    assert "36 spans, 34 ended, 2 open" in text
    assert "    +1.000           …  └─ stage generate  open" in text


def test_a_death_shows_what_it_cut_off_and_where(script: Any, spool: Path) -> None:
    """By the line that opened the innermost span."""
    at_work(script)
    script.begin("stage generate", 1000)
    script.writer.close()
    end = death.from_returncode(-9, at_ns=1_770_000_003_000_000_000)
    death.close_dead(script.directory, end)
    text = tree.plain(model_of(spool))
    assert "2 cut off by a death" in text
    assert "+1.000      2.00 s  └─ stage generate  cut off" in text
    assert "✗ sigkill: the process died of SIGKILL: who sent it is not known" in text
    assert "opened at /app/work.py:7 in work" in text


def test_a_span_whose_end_was_lost_is_not_said_to_be_cut_off(script: Any, spool: Path) -> None:
    """Its process went on, and died of something else."""
    script.task("e040ae48")
    script.begin("process travel_segment", 0, **about("e040ae48"))
    script.span("stage parameters", 10, 20, **stage("parameters"))
    script.begin("stage generate", 30, **stage("generate"))
    script.end_process("signal", 50)
    lose_end(script.directory)
    text = tree.plain(model_of(spool))
    assert "2 cut off by a death, 1 without an end in the record" in text
    assert "…  ├─ stage parameters  its end is not in the record" in text
    assert "20.0 ms  └─ stage generate  cut off" in text


def test_a_record_without_its_tail_says_so(script: Any, spool: Path) -> None:
    """What is open in it is neither at work nor known to be cut off."""
    at_work(script)
    script.writer.close()
    text = tree.plain(model_of(spool))
    assert "the record is incomplete: the tail of 1 process is missing" in text
    assert "1 without an end in the record" in text
    assert "cut off" not in text


def test_an_incomplete_record_says_so(script: Any, spool: Path) -> None:
    """Before anything is concluded from it."""
    script.task("e040ae48")
    script.writer.next_seq += 41
    script.span("stage inputs", 0, 1)
    assert "the record is incomplete: 41 records are missing" in tree.plain(model_of(spool))


def test_a_terminal_gets_the_same_words(script: Any, spool: Path) -> None:
    """Colours are all that is added."""
    failed(script)
    out = io.StringIO()
    Console(file=out, width=200, color_system=None).print(tree.renderable(model_of(spool)))
    assert [line.rstrip() for line in out.getvalue().splitlines()] == FAILED.splitlines()


def test_a_narrow_terminal_does_not_cut_the_line_that_raised(script: Any, spool: Path) -> None:
    """It is what the reader came for."""
    failed(script)
    out = io.StringIO()
    Console(file=out, width=50, color_system=None).print(tree.renderable(model_of(spool)))
    joined = "".join(line.strip() for line in out.getvalue().splitlines()).replace(" ", "")
    assert "/engine/wgp.py:3907inget_model_min_frames_and_step" in joined


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (950, "1 µs"),
        (12_345, "12 µs"),
        (4_500_000, "4.5 ms"),
        (2.5e9, "2.50 s"),
        (248e9, "4 min 08.0 s"),
    ],
)
def test_durations_are_in_the_unit_that_suits(nanoseconds: float, text: str) -> None:
    """From a microsecond to minutes."""
    assert tree.duration(nanoseconds) == text
