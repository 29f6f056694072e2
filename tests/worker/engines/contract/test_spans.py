"""What a report can say of an engine: each call, its parameters, its result, and each step."""

from collections.abc import Sequence
from typing import Any

import pytest

from telemetry import names
from telemetry.records import Status
from telemetry.spans import Span
from tests.worker.engines.contract.driven import COUNT, Driven, Watching, phases
from tests.worker.engines.contract.fixtures import Spans
from worker.errors import TaskCancelled

GENERATE = names.engine("generate")


def of_name(spans: Sequence[Span], name: str) -> list[Span]:
    """Return the spans of a name."""
    return [span for span in spans if span.name == name]


def said(span: Span, *parameters: str) -> Any:
    """Return what a span says of a parameter, by whichever of these names it has there."""
    [found, *_] = [
        span.attributes[name]
        for name in (f"{names.ENGINE_PARAM}{parameter}" for parameter in parameters)
        if name in span.attributes
    ]
    return found


@pytest.mark.parametrize("call", ["model_def", "default_settings", "load"])
def test_a_call_is_a_span(driven: Driven, spans: Spans, call: str) -> None:
    """One, with the engine, the model, and what it returned."""
    getattr(driven.engine, call)(driven.model)
    [span] = spans()
    assert (span.name, span.status) == (names.engine(call), Status.UNSET)
    assert span.attributes[names.ENGINE_NAME] == driven.engine.name
    assert span.attributes[names.ENGINE_MODEL] == driven.model
    assert [name for name in span.attributes if name.startswith(names.ENGINE_RESULT)]


def test_what_the_calls_return_is_told(driven: Driven, spans: Spans) -> None:
    """The kind of a model, the number of its defaults, whether it was loaded already."""
    definition = driven.engine.model_def(driven.model)
    defaults = driven.engine.default_settings(driven.model)
    driven.engine.unload()
    driven.engine.load(driven.model)
    driven.engine.load(driven.model)
    told = [
        span.attributes[f"{names.ENGINE_RESULT}{name}"]
        for span, name in zip(
            spans(), ("kind", "count", "already_loaded", "already_loaded"), strict=True
        )
    ]
    assert told == [definition.kind, len(defaults), False, True]


def test_a_generation_is_a_span_with_its_parameters(driven: Driven, spans: Spans) -> None:
    """Every scalar that it goes by, by the name that it has in the engine or in a request."""
    request = driven.request(seed=123)
    driven.generate(request)
    [span] = of_name(spans(), GENERATE)
    assert span.status == Status.UNSET
    assert span.attributes[names.ENGINE_NAME] == driven.engine.name
    assert span.attributes[names.ENGINE_MODEL] == driven.model
    assert said(span, "prompt") == request.prompt
    assert said(span, "negative_prompt") == request.negative_prompt
    assert said(span, "seed") == 123
    assert said(span, "frames", "video_length") == request.frames
    assert said(span, "resolution") == f"{request.width}x{request.height}"
    assert said(span, "steps", "num_inference_steps") == COUNT
    assert said(span, "solver", "sample_solver") == "euler"
    assert said(span, "flow_shift") == 5
    assert said(span, "guidance_phases") == 2
    assert (said(span, "guidance_scale"), said(span, "guidance2_scale")) == (3, 1)
    assert said(span, "switch_threshold") == request.schedule.switch_threshold


def test_a_generation_tells_its_result(driven: Driven, spans: Spans) -> None:
    """The frames, and their size."""
    driven.generate()
    [span] = of_name(spans(), GENERATE)
    told = [
        span.attributes[f"{names.ENGINE_RESULT}{name}"] for name in ("frames", "height", "width")
    ]
    assert told == list(driven.first.shape[:3])


def test_a_step_is_a_span(driven: Driven, spans: Spans) -> None:
    """One each, in order and inside that of the call, with the phase that was planned."""
    request = driven.request(phase_config=phases(1, 2, 3))
    driven.generate(request)
    found = spans()
    [call] = of_name(found, GENERATE)
    steps = of_name(found, names.DENOISE_STEP)
    assert {(step.parent_id, step.trace_id) for step in steps} == {(call.span_id, call.trace_id)}
    assert [step.status for step in steps] == [Status.UNSET] * 6
    told = [
        (
            step.attributes[names.STEP_INDEX],
            step.attributes[names.STEP_COUNT],
            step.attributes[names.STEP_PHASE],
            step.attributes[names.STEP_TIMESTEP],
            step.attributes[names.STEP_GUIDANCE],
        )
        for step in steps
    ]
    assert told == [
        (number, 6, step.phase, step.timestep, step.guidance_scale)
        for number, step in enumerate(request.schedule.steps, start=1)
    ]
    assert [one[2] for one in told] == [1, 2, 2, 3, 3, 3]


def test_steps_do_not_overlap(driven: Driven, spans: Spans) -> None:
    """Each ends before the next begins, and all within the call."""
    driven.generate()
    found = spans()
    [call] = of_name(found, GENERATE)
    steps = of_name(found, names.DENOISE_STEP)
    bounds = [call.start_ns]
    for step in steps:
        bounds += [step.start_ns, step.end_ns or 0]
    assert [*bounds, call.end_ns] == sorted([*bounds, call.end_ns or 0])


def test_a_load_within_a_generation_is_inside_its_span(driven: Driven, spans: Spans) -> None:
    """One span of loading, and none where the model is loaded."""
    request = driven.request()
    driven.engine.unload()
    driven.generate(request)
    driven.generate(request)
    found = spans()
    [load] = of_name(found, names.engine("load"))
    assert load.parent_id == of_name(found, GENERATE)[0].span_id
    assert load.attributes[names.ENGINE_MODEL] == driven.model


def test_a_cancelled_call_ends_as_one(driven: Driven, spans: Spans) -> None:
    """By the exception that says so; the steps that were done are well."""
    request = driven.request()
    with pytest.raises(TaskCancelled):
        driven.generate(request, Watching(cancel_after=2))
    found = spans()
    [call] = of_name(found, GENERATE)
    assert (call.status, call.attributes[names.ERROR_TYPE]) == (
        Status.ERROR, "worker.errors.TaskCancelled"
    )  # fmt: skip
    steps = of_name(found, names.DENOISE_STEP)
    assert [step.status for step in steps[:2]] == [Status.UNSET] * 2
    assert len(steps) <= 3


def test_every_span_has_ended(driven: Driven, spans: Spans) -> None:
    """When the call has: also after one that was refused, and one that was cancelled."""
    for cancel_after in (None, 0, 1):
        try:
            driven.generate(observer=Watching(cancel_after=cancel_after))
        except TaskCancelled:
            continue
    found = spans()
    parents = {span.span_id for span in found}
    assert {span.parent_id for span in found if span.parent_id} <= parents
    assert len(of_name(found, GENERATE)) == 3
