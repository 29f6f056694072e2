"""How far an attempt got."""

from pathlib import Path
from typing import Any

from telemetry import names
from telemetry.reports import progress
from tests.telemetry.reports.test_attempt import about, attempt_of


def iteration(index: int) -> dict[str, Any]:
    """Make the attributes of an iteration of a loop of three."""
    return {names.LOOP_INDEX: index, names.LOOP_COUNT: 3, names.PARAM_KEY: f"key_{index}"}


def begun(new_script: Any) -> Any:
    """Begin a segment, and its stage parameters."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage parameters", 1, **{names.STAGE_NAME: "parameters"})
    return script


def test_a_loop_that_finished_is_told_from_one_that_broke_off(new_script: Any, spool: Path) -> None:
    """The incident: LOOP 26 was where the log ended, not where the loop did."""
    script = begun(new_script)
    for index, (start, end) in enumerate(((2, 3), (3, 6), (6, 7)), start=1):
        script.span(names.LOOP_ITERATION, start, end, **iteration(index))
    found = progress.loop(attempt_of(spool, "segment"))
    assert (found.completed, found.total) == (3, 3)
    assert found.last is not None
    assert found.slowest is not None
    assert (found.last.index, found.last.key) == (3, "key_3")
    assert (found.slowest.index, found.slowest.ms) == (2, 3.0)


def test_an_iteration_that_failed_or_was_cut_off_is_not_completed(
    new_script: Any, spool: Path
) -> None:
    """It is where the loop stopped."""
    script = begun(new_script)
    script.span(names.LOOP_ITERATION, 2, 3, **iteration(1))
    script.begin(names.LOOP_ITERATION, 3, **iteration(2))
    script.end(4, status=2)
    script.begin(names.LOOP_ITERATION, 4, **iteration(3))
    script.end_process("signal", 5)
    found = progress.loop(attempt_of(spool, "segment"))
    assert (found.completed, found.total) == (1, 3)


def test_a_task_without_loop_and_steps_says_so(new_script: Any, spool: Path) -> None:
    """0 of 0: it had not begun."""
    begun(new_script)
    attempt = attempt_of(spool, "segment")
    assert progress.loop(attempt).last is None
    assert (progress.loop(attempt).total, progress.steps(attempt).total) == (0, 0)


def test_a_stage_says_how_it_ended(new_script: Any, spool: Path) -> None:
    """By itself, well or not, or with its process."""
    script = begun(new_script)
    script.end(3)
    script.begin("stage loras", 4, **{names.STAGE_NAME: "loras"})
    script.end(5, status=2)
    script.begin("stage model", 6, **{names.STAGE_NAME: "model"})
    script.end_process("signal", 7)
    found = progress.stages(attempt_of(spool, "segment"))
    said = [(stage.name, stage.ended, stage.ms) for stage in found]
    assert said == [("parameters", "ok", 2.0), ("loras", "failed", 1.0), ("model", "cut off", 1.0)]


def test_what_was_begun_again_is_counted_from_there(new_script: Any, spool: Path) -> None:
    """A second try after the device's memory ran out is not a part of the first."""
    script = begun(new_script)
    for at, index in enumerate((1, 2, 3, 1, 2), start=2):
        counted = {names.STEP_INDEX: index, names.STEP_COUNT: 3}
        script.span(names.DENOISE_STEP, at, at + 1, **counted)
    found = progress.steps(attempt_of(spool, "segment"))
    assert (found.completed, found.total) == (2, 3)


def test_a_count_that_is_no_number_is_passed_over(new_script: Any, spool: Path) -> None:
    """A journal may come from anywhere."""
    script = begun(new_script)
    script.span(names.DENOISE_STEP, 2, 3, **{names.STEP_COUNT: "many", names.STEP_PHASE: 2})
    found = progress.steps(attempt_of(spool, "segment"))
    assert (found.completed, found.total, found.phase) == (1, 0, "2")


def test_a_moment_keeps_its_microseconds() -> None:
    """A float of seconds would not."""
    assert progress.moment(1_771_942_484_546_123_999) == "2026-02-24T14:14:44.546123Z"
