"""A span for each denoising step, by what the engine tells of them."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telemetry import names
from telemetry.spans import Span
from worker.engines.wan2gp.steps import StepSpans
from worker.params.request import LoraUse

from .conftest import REQUEST, STEPS, Recording, scheduled

OK, ERROR = 0, 2


@pytest.fixture
def call(recording: Recording) -> Iterator[Any]:
    """Be in a call into the engine."""
    with recording.generating() as span:
        yield span


def steps_of(recording: Recording) -> list[Span]:
    """Return the spans of steps that have ended."""
    return [span for span in recording.spans() if span.name == names.DENOISE_STEP]


def numbers(recording: Recording) -> list[int]:
    """Return the numbers of the steps that have ended."""
    return [span.attributes[names.STEP_INDEX] for span in steps_of(recording)]


def test_each_step_is_a_span(recording: Recording, call: Any) -> None:
    """In the span of the call, one after the other, with what was planned of it."""
    spans = StepSpans(REQUEST)
    for done in range(4):
        spans.reached(done, 3)
    found = steps_of(recording)
    assert [span.parent_id for span in found] == [call.span_id] * 3
    assert [
        (
            span.attributes[names.STEP_INDEX],
            span.attributes[names.STEP_COUNT],
            span.attributes[names.STEP_PHASE],
            span.attributes[names.STEP_TIMESTEP],
            span.attributes[names.STEP_GUIDANCE],
            span.attributes[names.STEP_EXPERT],
        )
        for span in found
    ] == [
        (1, 3, 1, 1000.0, 3.0, "high"),
        (2, 3, 2, 750.0, 1.0, "low"),
        (3, 3, 2, 500.0, 1.0, "low"),
    ]
    assert (spans.told, [span.status for span in found]) == (3, [OK] * 3)
    assert spans.spent_s > 0


def test_the_engine_is_in_the_span_meanwhile(recording: Recording, call: Any) -> None:
    """What it does there is in there, and afterwards in the call again."""
    spans = StepSpans(REQUEST)
    spans.reached(0, 3)
    with recording.recorder.span("inside") as inside:
        spans.reached(0, 3)
    spans.leave()
    with recording.recorder.span("after"):
        pass
    parents = {span.name: span.parent_id for span in recording.spans()}
    [step] = steps_of(recording)
    assert (parents["inside"], parents["after"]) == (step.span_id, call.span_id)
    assert inside.span_id != step.span_id


@pytest.mark.usefixtures("call")
def test_a_first_step_that_is_told_when_it_is_done_has_its_span(recording: Recording) -> None:
    """It began when the engine came from something else: what it did before is not in there."""
    spans = StepSpans(REQUEST)
    with recording.recorder.span("encodes the prompt"):
        pass
    spans.leave()
    for done in (1, 2, 3):
        spans.reached(done, 3)
    [before, first, *_] = recording.spans()
    assert (numbers(recording), spans.told) == ([1, 2, 3], 3)
    assert before.end_ns is not None
    assert before.end_ns <= first.start_ns


@pytest.mark.usefixtures("call")
def test_a_step_that_is_told_twice_is_one(recording: Recording) -> None:
    """As by a status that changes in it."""
    spans = StepSpans(REQUEST)
    for done in (0, 0, 1, 1, 2, 2, 3, 3):
        spans.reached(done, 3)
    assert (numbers(recording), spans.told) == ([1, 2, 3], 3)


@pytest.mark.parametrize("told", [(0, 1, 2, 3, 0, 1, 2, 3), (0, 1, 2, 3, 1, 2, 3)])
@pytest.mark.usefixtures("call")
def test_another_window_begins_again(recording: Recording, told: tuple[int, ...]) -> None:
    """With its first step."""
    spans = StepSpans(REQUEST)
    for done in told:
        spans.reached(done, 3)
    assert (numbers(recording), spans.told) == ([1, 2, 3, 1, 2, 3], 6)


@pytest.mark.usefixtures("call")
def test_a_window_that_is_broken_off_ends_its_step(recording: Recording) -> None:
    """What follows is in a span of its own."""
    spans = StepSpans(REQUEST)
    for done in (0, 1, 2, 0, 1):
        spans.reached(done, 3)
    assert numbers(recording) == [1, 2, 3, 1]


@pytest.mark.usefixtures("call")
def test_another_count_is_another_pass(recording: Recording) -> None:
    """Also where it goes on with a number that is higher."""
    spans = StepSpans(REQUEST)
    for done, count in ((0, 3), (1, 3), (2, 8), (3, 8)):
        spans.reached(done, count)
    found = [span.attributes for span in steps_of(recording)]
    assert [(one[names.STEP_INDEX], one[names.STEP_COUNT]) for one in found] == [
        *((1, 3), (2, 3), (2, 8), (3, 8))
    ]


@pytest.mark.usefixtures("call")
def test_steps_that_are_passed_over_are_in_one_span(recording: Recording) -> None:
    """An engine that skips tells of fewer."""
    spans = StepSpans(REQUEST)
    spans.reached(0, 3)
    spans.reached(3, 3)
    assert numbers(recording) == [1]


@pytest.mark.usefixtures("call")
def test_a_step_that_fails_ends_so(recording: Recording) -> None:
    """With its exception; what is told afterwards is no part of it."""
    spans = StepSpans(REQUEST)
    spans.reached(0, 3)
    spans.reached(1, 3)
    try:
        raise ValueError("in the second")  # noqa: TRY301 - as an engine does
    except ValueError as exc:
        spans.fail(exc)
    spans.leave()
    first, second = steps_of(recording)
    assert (first.status, second.status) == (OK, ERROR)
    [event] = second.events
    assert event.attributes[names.EXCEPTION_MESSAGE] == "in the second"


@pytest.mark.usefixtures("call")
def test_no_step_fails_where_none_is_open(recording: Recording) -> None:
    """Before the first, and after the last."""
    spans = StepSpans(REQUEST)
    spans.fail(ValueError())
    for done in range(4):
        spans.reached(done, 3)
    spans.fail(ValueError())
    assert [span.status for span in steps_of(recording)] == [OK] * 3


@pytest.mark.usefixtures("call")
def test_what_another_thread_tells_makes_no_span(recording: Recording) -> None:
    """It is in the context of another; it ends none either."""
    spans = StepSpans(REQUEST)
    spans.reached(0, 3)

    def tell() -> None:
        spans.reached(2, 3)
        spans.fail(ValueError())
        spans.leave()

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    spans.reached(1, 3)
    assert (numbers(recording), spans.told) == ([1], 1)


@pytest.mark.parametrize(
    ("request_", "count"), [(scheduled(exact=False), 3), (REQUEST, 4), (scheduled(steps=()), 3)]
)
@pytest.mark.usefixtures("call")
def test_nothing_is_said_of_steps_that_were_not_planned_so(
    recording: Recording, request_: Any, count: int
) -> None:
    """Where only the engine knows its timesteps, or makes another number of steps."""
    spans = StepSpans(request_)
    spans.reached(0, count)
    spans.reached(1, count)
    spans.leave()
    found = steps_of(recording)[0].attributes
    assert {names.STEP_INDEX, names.STEP_COUNT} <= set(found)
    assert not set(found) & {names.STEP_PHASE, names.STEP_TIMESTEP, names.STEP_EXPERT}
    assert not set(found) & {names.STEP_GUIDANCE, names.STEP_LORA_SCALES}


@pytest.mark.usefixtures("call")
def test_the_scales_of_loras_are_those_of_the_step(recording: Recording, tmp_path: Path) -> None:
    """One for each, in order."""
    uses = tuple(
        LoraUse(url=str(tmp_path), multipliers="", per_step=scales)
        for scales in ((1.2, 0.0, 0.0), (1.05, 1.05, 1.05))
    )
    spans = StepSpans(replace(REQUEST, loras=uses))
    for done in range(len(STEPS) + 1):
        spans.reached(done, 3)
    scales = [list(span.attributes[names.STEP_LORA_SCALES]) for span in steps_of(recording)]
    assert scales == [[1.2, 1.05], [0.0, 1.05], [0.0, 1.05]]


def test_nothing_is_recorded_where_there_is_no_recorder() -> None:
    """And nothing is wrong."""
    spans = StepSpans(REQUEST)
    for done in range(4):
        spans.reached(done, 3)
    assert spans.told == 3
