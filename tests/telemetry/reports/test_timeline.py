"""An attempt in time: bars, memory, and what is around the failure."""

from pathlib import Path
from typing import Any

from telemetry import Recorder, names
from telemetry.death import from_returncode
from telemetry.reports.findings import Investigation
from telemetry.reports.timeline import empty
from tests.telemetry.reports.recorded import (
    Attempted,
    dies,
    history,
    incident,
    segment,
)
from tests.telemetry.reports.test_attempt import about


def found_of(script: Any, spool: Path, **facts: Any) -> Investigation:
    """Investigate what a script has written."""
    script.writer.close()
    return Attempted(spool=spool, task_id="segment").found(**facts)


def test_bars_lie_in_each_other_and_say_how_they_ended(spool: Path) -> None:
    """The process, its stages, the engine's calls, the iterations."""
    bars = Attempted(spool=spool).run(incident).found().timeline.bars
    assert [(bar.name, bar.kind, bar.depth, bar.ended) for bar in bars[:4]] == [
        ("process travel_segment", "process", 0, "ok"),
        ("stage inputs", "stage", 1, "ok"),
        ("stage parameters", "stage", 1, "failed"),
        ("engine default_settings", "engine", 2, "ok"),
    ]
    assert [bar.label for bar in bars if bar.kind == "iteration"][25] == "26 of 32, guidance_phases"
    assert all(bar.start_ms <= bar.end_ms for bar in bars)


def test_the_moment_of_the_failure_lies_after_the_loop(spool: Path) -> None:
    """In the incident it lay some milliseconds after iteration 32."""
    timeline = Attempted(spool=spool).run(incident).found().timeline
    last = max(bar.end_ms for bar in timeline.bars if bar.kind == "iteration")
    assert timeline.failed_ms is not None
    assert last <= timeline.failed_ms <= timeline.length_ms


def test_what_is_around_the_failure_is_in_order_with_offsets(spool: Path) -> None:
    """Records, logs, the queue's history, and the failure itself at zero."""
    attempted = Attempted(spool=spool).run(incident)
    around = attempted.found(events=history("inserted", "claimed")).timeline.around
    offsets = [moment.offset_ms for moment in around]
    assert offsets == sorted(offsets)
    [failure] = [moment for moment in around if moment.kind == "failure"]
    assert failure.offset_ms == 0.0
    assert failure.text.startswith("AttributeError: 'NoneType' object has no attribute 'get'")
    assert "frames_and_step" in failure.text


def test_records_and_logs_are_told_together(new_script: Any, spool: Path) -> None:
    """The incident's readers had to lay two files side by side."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage parameters", 1)
    script.log("LOOP [26/32]\nGetting old value\x1b[2J", 2)
    script.error(at_ns=1_770_000_000_003_000_000, task_id="segment")
    script.end(4)
    script.end(5)
    around = found_of(script, spool).timeline.around
    assert [(moment.kind, moment.offset_ms) for moment in around] == [
        ("begin", -3.0),
        ("begin", -2.0),
        ("log", -1.0),
        ("failure", 0.0),
        ("end", 1.0),
        ("end", 2.0),
    ]
    assert around[2].text == "worker.params: LOOP [26/32] Getting old value\\x1b[2J"
    assert around[2].at == "2026-02-02T02:40:00.002000Z"


def test_an_error_that_was_handled_is_told_as_that(new_script: Any, spool: Path) -> None:
    """And one that was not, though the failure is another, is none that was handled."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.error(event_id="a" * 32, handled=True, task_id="segment")
    script.error(event_id="b" * 32, task_id="segment")
    script.error(event_id="c" * 32, task_id="segment")
    row = {"error": {"event_id": "c" * 32}}
    around = found_of(script, spool, row=row).timeline.around
    kinds = [moment.kind for moment in around if moment.kind not in ("begin", "end")]
    assert sorted(kinds) == ["failure", "failure", "handled"]


def test_errors_of_other_tasks_are_not_told(new_script: Any, spool: Path) -> None:
    """A journey's journal has those of all its segments."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.error(event_id="a" * 32, handled=True, task_id="another")
    assert {moment.kind for moment in found_of(script, spool).timeline.around} == {"begin"}


def test_only_so_much_is_told_around_the_failure(new_script: Any, spool: Path) -> None:
    """32 records before it, 16 after: those that are nearest."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    for at_ms in range(100):
        script.log(f"line {at_ms}", at_ms)
    script.error(at_ns=1_770_000_000_049_500_000, task_id="segment")
    around = found_of(script, spool).timeline.around
    logs = [moment.text for moment in around if moment.kind == "log"]
    assert (len(around), logs[0], logs[-1]) == (
        48,
        "worker.params: line 19",
        "worker.params: line 65",
    )


def test_without_the_error_no_moment_of_failure_is_told(spool: Path) -> None:
    """Where the record ends is not where it failed."""

    def work(recorder: Recorder) -> None:
        segment(recorder, stop=lambda index: dies(recorder) if index == 9 else None)

    timeline = Attempted(spool=spool).run(work).found({"error": {"type": "lost"}}).timeline
    assert timeline.failed_ms is None
    assert "failure" not in {moment.kind for moment in timeline.around}


def test_a_death_cuts_bars_off(spool: Path) -> None:
    """At its moment."""

    def work(recorder: Recorder) -> None:
        segment(recorder, stop=lambda index: dies(recorder) if index == 9 else None)

    timeline = (
        Attempted(spool=spool).run(work, from_returncode(-9, at_ns=2 * 10**18)).found().timeline
    )
    cut = [bar for bar in timeline.bars if bar.ended == "cut off"]
    assert [bar.kind for bar in cut] == ["stage", "iteration"]
    assert {bar.end_ms for bar in cut} == {timeline.failed_ms}


def test_memory_is_told_by_step(new_script: Any, spool: Path) -> None:
    """What is no number is passed over."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    for at_ms, value in ((1, 2**30), (3, "much"), (5, float("nan")), (7, float("inf"))):
        script.span(names.DENOISE_STEP, at_ms, at_ms + 1, **{names.STEP_MEMORY_BYTES: value})
    samples = found_of(script, spool).timeline.memory_bytes
    assert [(one.at_ms, one.value) for one in samples] == [(2.0, float(2**30))]


def test_a_span_whose_parent_is_itself_is_drawn(new_script: Any, spool: Path) -> None:
    """Or whose parent is not there, or whose clock went backwards."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 5, **about("segment"))
    script.begin("stage parameters", 1)
    script.end(0)
    assert len(found_of(script, spool).timeline.bars) == 2


def test_without_a_record_the_timeline_is_empty(spool: Path) -> None:
    """And a task of no span at all."""
    assert Attempted(spool=spool).found().timeline == empty()
