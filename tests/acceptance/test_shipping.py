"""What a worker records reaches an OTLP receiver and Sentry, each span and error once."""

import os
import signal
from pathlib import Path
from uuid import UUID

from tests.acceptance.backends import assert_arrived_once, backends
from tests.acceptance.home import Home, wait_for


def test_every_span_of_a_killed_journey_arrives_once(home: Home) -> None:
    """The task process dies in a segment; the journey goes on; all that was begun arrives."""
    with backends(home) as (receiver, _):
        (orchestrator,) = home.enqueue(home.journey(1))
        worker = home.worker()
        generating = worker.wait_for("progress", stage="generate")
        os.kill(worker.task_process(), signal.SIGKILL)
        assert worker.process.wait(timeout=240) == 0, worker.lines()
        assert_arrived_once(home, receiver)
        died = [span for span in receiver.spans if "loop26.death.kind" in span.attributes]
    assert {
        span.span.trace_id for span in receiver.spans if span.span.name.startswith("process ")
    } == {bytes.fromhex((home.task(orchestrator).trace_context or "").split("-")[1])}
    assert {"process travel_segment", "stage generate"} <= {span.span.name for span in died}
    assert {span.attributes["loop26.death.kind"] for span in died} == {"sigkill"}
    assert home.task(UUID(generating["task_id"])).deaths == 1


def test_a_failure_reaches_sentry_with_its_trace(home: Home) -> None:
    """One event, at the line that raised, in the trace that the task's row carries."""
    with backends(home) as (_, receiver):
        journey = home.journey(1)
        picture = journey["params"]["orchestrator_details"]["input_image_paths_resolved"][0]
        (orchestrator,) = home.enqueue(journey)
        Path(picture).write_bytes(b"no picture")
        home.work_until_idle()
        wait_for(lambda: receiver.events, "event", 20)
        (event,) = receiver.events
    failed = home.children(orchestrator)[0]
    assert failed.error is not None
    assert event["event_id"] == failed.error["event_id"]
    assert event["contexts"]["trace"]["trace_id"] == failed.error["trace_id"]
    assert event["tags"]["stage"] == "inputs"
    innermost = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (innermost["abs_path"], innermost["lineno"]) == (
        failed.error["file"],
        failed.error["line"],
    )
    assert innermost["vars"]
