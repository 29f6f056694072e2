"""An engine that works in a thread of its own, in the task's context."""

import contextvars
import logging
import threading
from traceback import format_exc, print_exc
from typing import Any

import pytest

import telemetry
from telemetry.records import Kind

from .conftest import TRACE, Recording, running
from .test_handled import errors, frames_minimum, quietly, raising, swallow

log = logging.getLogger("engine")


def test_a_thread_in_the_tasks_context_records_as_the_task_does(recording: Recording) -> None:
    """An engine's own thread: its spans, logs and exceptions have the trace, span and stage."""
    spans: list[Any] = []

    def engine() -> None:
        with telemetry.span("denoise step") as span:
            spans.append(span)
            log.info("works")
            swallow(lambda: quietly(print_exc))
            swallow(lambda: log.error("its text"), raising(ValueError("its text")))
            swallow(lambda: telemetry.swallowed("Error: another"), raising(KeyError("another")))
            swallow(lambda: [log.error("a"), format_exc(), quietly(print_exc)], raising(OSError()))

    with (
        running(recording),
        recording.recorder.span("process t2v", trace_id=TRACE),
        telemetry.stage("generate"),
        telemetry.engine_call("generate", engine="e", model="m") as call,
    ):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(engine,))
        thread.start()
        thread.join()

    found = errors(recording)
    assert [error.type for error in found] == [
        "AttributeError",
        "ValueError",
        "KeyError",
        "OSError",
    ]
    [span] = spans
    (stages, ids) = (
        {error.stage for error in found},
        {(error.trace_id, error.span_id, error.task_id) for error in found},
    )
    assert (stages, ids) == ({"generate"}, {(TRACE, span.span_id, "e040ae48")})
    logs = [one for one in recording.bodies(Kind.LOG) if one.logger == "engine"]
    assert {(one.trace_id, one.span_id) for one in logs} == {(TRACE, span.span_id)}
    assert recording.spans()["denoise step"].parent_id == call.span_id


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_dies_in_a_thread_in_the_tasks_context_is_a_suspect(recording: Recording) -> None:
    """Its file never comes, and all else goes well."""

    def engine() -> None:
        with telemetry.span("save"):
            frames_minimum("")

    with running(recording), telemetry.stage("generate"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(engine,))
        quietly(lambda: [thread.start(), thread.join()])

    [error] = errors(recording)
    assert (error.context["found"], error.stage) == ("thread", "generate")
    assert error.span_id == recording.spans()["save"].span_id
