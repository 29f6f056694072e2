"""How results read: the verdict of each, what is wrong in full, and what to do next."""

import io
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from worker.drill.checks import Check
from worker.drill.results import Result, all_right, as_json
from worker.drill.tables import of_all, of_faults, of_one

FOLDER = Path("/home/someone/my loop26/drill")
LINE = Check(name="line", planted="raised at a.py:1 in f", found="raised at a.py:1 in f", ok=True)
RIGHT = Result(fault="exception", tasks=("e040ae48-4fa8",), checks=(LINE,), settled_s=0.02)
WRONG = Result(
    fault="abort",
    tasks=("78cd8678-9fa3",),
    checks=(LINE, Check(name="spans", planted="all", found="[red]41[/] of 47", ok=False)),
)
SKIPPED = Result(fault="oom", skipped="no control group can be made here")


def text_of(drawn: RenderableType, width: int = 100) -> str:
    """Draw without colours."""
    out = Console(file=io.StringIO(), width=width, highlight=False)
    out.print(drawn)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_one_drill_shows_what_was_planted_and_found() -> None:
    """And the command that tells more, which can be copied."""
    shown = text_of(of_one(RIGHT, FOLDER))
    assert "Drill exception: right" in shown
    assert "raised at a.py:1 in f" in shown
    assert "loop26 --home '/home/someone/my loop26/drill' investigate e040ae48" in shown


def test_many_drills_have_a_line_each_and_what_is_wrong_in_full() -> None:
    """What was found is shown as it is: no text of it is taken for a colour."""
    shown = text_of(of_all([RIGHT, WRONG, SKIPPED], FOLDER))
    assert "[red]41[/] of 47" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line.split()}
    assert lines["exception"].split()[-1] == "right"
    assert lines["abort"].split()[-1] == "WRONG"
    assert "oom was skipped: no control group can be made here" in shown
    assert "1 of 3 right, 1 skipped" in shown


def test_the_parts_of_a_drill_of_several_tasks_have_headings() -> None:
    """In their order."""
    checks = tuple(Check(name="x", planted="", found="", ok=True, part=part) for part in "ba")
    shown = text_of(of_one(Result(fault="incident", checks=checks), FOLDER)).splitlines()
    assert [line.strip() for line in shown if line.strip() in ("a", "b")] == ["b", "a"]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    """But for the command to be copied, which must stay whole to be found again."""
    for drawn in (of_one(WRONG, FOLDER), of_all([RIGHT, WRONG, SKIPPED], FOLDER)):
        lines = text_of(drawn, width).splitlines()
        assert max(len(line.rstrip()) for line in lines) <= width


def test_the_faults_are_listed_with_their_lines() -> None:
    """In their order."""
    assert text_of(of_faults({"hang": "it waits", "abort": "it aborts"})).split() == [
        *("hang", "it", "waits"),
        *("abort", "it", "aborts"),
    ]


def test_what_was_skipped_is_neither_right_nor_wrong() -> None:
    """It does not make the whole wrong, and is not counted as right."""
    assert all_right([RIGHT, SKIPPED])
    assert not all_right([RIGHT, WRONG])
    assert not SKIPPED.right
    told = as_json([RIGHT, WRONG, SKIPPED], FOLDER)
    assert told["ok"] is False
    assert [one["verdict"] for one in told["drills"]] == ["right", "wrong", "skipped"]


def test_a_drill_without_a_check_is_not_right() -> None:
    """Nothing was found, and nothing was held against it."""
    assert not Result(fault="abort").right
