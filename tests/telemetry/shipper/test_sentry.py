"""Sentry events, decoded from the envelopes that a server received."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry import names
from telemetry.journal import ProcessFacts
from telemetry.links import Links
from telemetry.records import Error, ExceptionFacts, Frame, Status
from telemetry.shipper import Shipper
from telemetry.shipper.sentry import SentryTarget
from telemetry.shipper.sentry_event import MAX_EVENT_BYTES, Filing, Surroundings, event_of
from telemetry.testing import Reply, SentryReceiver

FILING = Filing(release="loop26@1", environment="test")
FACTS = ProcessFacts(id="p", role="task", pid=1, started_ns=0, host="gpu-host", version="0.1.0")
INNER = Frame(
    file="/engine/wan/wgp.py",
    line=3907,
    function="get_model_min_frames_and_step",
    module="wgp",
    source=["a", "b", "inner.get('frames_minimum')", "d"],
    source_first_line=3905,
    in_app=True,
    locals={"many": list(range(40)), "model_type": "", "inner": None, "ratio": float("nan")},
)
OUTER = Frame(file="/app/worker/run.py", line=7, function="run", in_app=True)


def chain() -> list[ExceptionFacts]:
    """Return an exception and its cause."""
    raised = ExceptionFacts(type="EngineError", module="worker", message="no", frames=[OUTER])
    cause = ExceptionFacts(
        type="AttributeError",
        module="builtins",
        message="'NoneType' object has no attribute 'get'",
        frames=[OUTER, INNER],
        relation="cause",
    )
    return [raised, cause]


def send(script: Any, spool: Path, *replies: Reply, **changes: Any) -> tuple[Shipper, list[Any]]:
    """Journal an error in the middle of a task, ship it, return what arrived."""
    script.task("t1", seed=26, nested={"a": [None, 1]})
    script.begin("process travel_segment")
    for index, key in enumerate(("guidance_scale", "guidance_phases"), start=1):
        attributes = {names.PARAM_KEY: key, names.PARAM_NEW: index, names.LOOP_INDEX: index}
        script.begin("loop iteration", **{k.replace(".", "__"): v for k, v in attributes.items()})
        script.end(1)
    attributes = {names.ENGINE_NAME: "wan2gp", names.ENGINE_MODEL: "wan22", "error": True}
    attributes[names.ENGINE_PARAM + "frames"] = 81
    span = script.begin(
        "engine model_def", **{k.replace(".", "__"): v for k, v in attributes.items()}
    )
    script.end(2, Status.ERROR)
    script.error(span_id=span, **changes)
    with SentryReceiver() as receiver:
        receiver.answer_next(*replies)
        target = SentryTarget(dsn=receiver.dsn, environment="test", release="loop26@1")
        shipper = Shipper(spool, sentry=target, interval_s=0.01)
        shipper.drain(10)
        shipper.drain(10)
        shipper.stop(1)
        return shipper, receiver.events


def test_the_event_has_the_ids_of_the_record(script: Any, spool: Path) -> None:
    """So that the task's row, the trace and the event lead to each other."""
    _, [event] = send(script, spool, chain=chain())
    assert event["event_id"] == "e" * 32
    assert event["fingerprint"] == ["f" * 16]
    assert event["contexts"]["trace"]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert event["contexts"]["trace"]["span_id"] == "0000000000000004"
    assert event["tags"]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_the_event_leads_to_the_pages_of_its_task(script: Any, spool: Path) -> None:
    """To those that the operator has named."""
    script.task("t/1")
    script.error(task_id="t/1")
    links = Links(trace="http://j/trace/{trace_id}", task="http://app/{task_id}")
    with SentryReceiver() as receiver:
        shipper = Shipper(spool, sentry=SentryTarget(dsn=receiver.dsn, links=links))
        shipper.drain(10)
        shipper.stop(1)
    (event,) = receiver.events
    assert event["contexts"]["links"] == {
        "task": "http://app/t%2F1",
        "trace": "http://j/trace/0af7651916cd43dd8448eb211c80319c",
    }


def test_causes_come_first_and_frames_are_oldest_first(script: Any, spool: Path) -> None:
    """Sentry shows the last value and the last frame on top."""
    _, [event] = send(script, spool, chain=chain())
    values = event["exception"]["values"]
    assert [value["type"] for value in values] == ["AttributeError", "EngineError"]
    frames = values[0]["stacktrace"]["frames"]
    assert [frame["lineno"] for frame in frames] == [7, 3907]
    assert values[0]["mechanism"]["source"] == "__cause__"


def test_an_exception_without_frames_arrives(script: Any, spool: Path) -> None:
    """As one that was made and never raised: sentry-sdk asks every stacktrace that there is."""
    unraised = ExceptionFacts(type="InvalidTask", module="worker.errors", message="no", frames=[])
    shipper, events = send(script, spool, chain=[unraised])
    assert [event["exception"]["values"][0]["value"] for event in events] == ["no"]
    assert shipper.counters.refused == 0


def test_a_frame_has_its_source_lines(script: Any, spool: Path) -> None:
    """Around the line that raised."""
    _, [event] = send(script, spool, chain=chain())
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][1]
    assert frame["pre_context"] == ["a", "b"]
    assert frame["context_line"] == "inner.get('frames_minimum')"
    assert frame["post_context"] == ["d"]
    assert (frame["in_app"], frame["filename"]) == (True, "wan/wgp.py")


def test_locals_arrive_whole_and_none_stands_first(script: Any, spool: Path) -> None:
    """The SDK cuts locals to ten entries; a hosted Sentry keeps those that come first."""
    _, [event] = send(script, spool, chain=chain())
    variables = event["exception"]["values"][0]["stacktrace"]["frames"][1]["vars"]
    assert next(iter(variables)) == "inner"
    assert variables["inner"] == "None"
    assert variables["model_type"] == ""
    assert len(variables["many"]) == 40
    assert variables["ratio"] == "nan"


def test_what_was_in_the_failing_expression_stands_before_all(script: Any, spool: Path) -> None:
    """It is worked out for the exception that was raised last."""
    raised = ExceptionFacts(type="E", module="m", message="", frames=[INNER])
    _, [event] = send(script, spool, chain=[raised], expression="model_type.x")
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][0]
    assert list(frame["vars"])[:2] == ["model_type", "inner"]


def test_tags_say_where_in_what_it_happened(script: Any, spool: Path) -> None:
    """From the task and from the span that failed, which has ended when the error is written."""
    _, [event] = send(script, spool, chain=chain())
    expected = {
        "task_id": "t1",
        "task_type": "travel_segment",
        "worker": "gpu-1",
        "engine": "wan2gp",
        "model": "wan22",
        "stage": "parameters",
        "loop": "32/32",
        "role": "task",
    }
    assert expected.items() <= event["tags"].items()
    assert (event["environment"], event["release"]) == ("test", "loop26@1")


def test_parameters_are_a_context(script: Any, spool: Path) -> None:
    """Contexts are not cut, extras and locals are."""
    _, [event] = send(script, spool, chain=chain())
    assert event["contexts"]["task parameters"] == {"guidance_scale": 1, "guidance_phases": 2}
    assert event["contexts"]["engine call"] == {"frames": 81}
    assert event["contexts"]["asked parameters"] == {"seed": 26, "nested": {"a": ["None", 1]}}


@pytest.mark.parametrize(("handled", "level"), [(True, "warning"), (False, "error")])
def test_what_was_handled_is_a_warning(
    script: Any, spool: Path, *, handled: bool, level: str
) -> None:
    """Nobody is to be paged for it."""
    _, [event] = send(script, spool, chain=chain(), handled=handled)
    assert event["level"] == level


@pytest.mark.parametrize("kind", ["death", "hang"])
def test_a_death_is_a_fatal_event_with_the_line_that_is_known(
    script: Any, spool: Path, kind: str
) -> None:
    """It has no stack."""
    _, [event] = send(script, spool, kind=kind, type="sigkill", place="opened at")
    [value] = event["exception"]["values"]
    assert (event["level"], value["type"]) == ("fatal", "sigkill")
    assert event["contexts"]["trace"]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert value["stacktrace"]["frames"][0]["lineno"] == 3907


def test_an_error_is_sent_once_however_often_the_shipper_starts(script: Any, spool: Path) -> None:
    """What was accepted is noted."""
    _, [_event] = send(script, spool)
    with SentryReceiver() as receiver:
        target = SentryTarget(dsn=receiver.dsn)
        again = Shipper(spool, sentry=target)
        assert again.drain(10)
        again.stop(1)
        assert receiver.requests == []


def test_a_server_that_is_busy_gets_it_later(script: Any, spool: Path) -> None:
    """The SDK's own transport would have dropped it."""
    shipper, events = send(script, spool, Reply(429, {"Retry-After": "60"}))
    assert len(events) == 1
    assert shipper.counters.failures == 1


def test_a_server_with_a_low_limit_gets_it_without_locals(script: Any, spool: Path) -> None:
    """The line is worth more than nothing."""
    shipper, [event] = send(script, spool, Reply(413), chain=chain())
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert [frame["lineno"] for frame in frames] == [7, 3907]
    assert not any(frame.get("vars") for frame in frames)
    assert shipper.counters.exported == 1


def test_an_event_stays_under_the_limit_of_sentry() -> None:
    """What can be done without goes, and is said to; above 1 MiB the whole event would be gone."""
    long = ["x" * 400] * 7
    locals_ = {f"v{number}": "x" * 1000 for number in range(600)}
    frames = [
        Frame(
            file="/a.py", line=line, function="f", source=long, source_first_line=1, locals=locals_
        )
        for line in range(1, 129)
    ]
    chain = [ExceptionFacts(type="E", module="m", message="", frames=frames) for _ in range(9)]
    error = Error(
        event_id="e" * 32,
        at_ns=1,
        kind="exception",
        chain=chain,
        type="E",
        message="",
        file="/a.py",
        line=2,
        function="f",
        place="raised at",
        stage="",
        loop_index=0,
        loop_count=0,
        fingerprint="f",
        trace_id=None,
        span_id=None,
    )
    event = event_of(error, Surroundings({}, {}), FACTS, FILING)
    assert len(msgspec.json.encode(event)) <= MAX_EVENT_BYTES
    stacks = [value["stacktrace"]["frames"] for value in event["exception"]["values"]]
    assert [[frame["lineno"] for frame in stack] for stack in stacks] == [list(range(1, 129))] * 9
    assert "vars" in stacks[-1][-1] or "variables" in event["tags"]["left_out"]


def test_what_went_before_is_in_the_breadcrumbs(script: Any, spool: Path) -> None:
    """The task's log records and ended spans, in their order; of an earlier task nothing."""
    script.task("t0")
    script.log("of another task")
    script.end_task("t0")
    script.task("t1")
    for number in range(150):
        script.log(f"line {number}", at_ms=number)
    script.span("loop iteration", 200, 201, **{"loop26.param.key": "guidance_phases"})
    script.error()
    with SentryReceiver() as receiver:
        shipper = Shipper(spool, sentry=SentryTarget(dsn=receiver.dsn), interval_s=0.01)
        assert shipper.drain(10)
        shipper.stop(1)
    crumbs = receiver.events[0]["breadcrumbs"]["values"]
    said = [crumb["message"] for crumb in crumbs]
    assert said == [*(f"line {number}" for number in range(51, 150)), "loop iteration"]
    assert crumbs[-1]["data"]["param.key"] == "guidance_phases"
    assert [crumb["timestamp"] for crumb in crumbs] == sorted(c["timestamp"] for c in crumbs)


def test_a_trail_does_not_reach_into_the_task_before(script: Any, spool: Path) -> None:
    """An error in the first moment of a task has no breadcrumbs."""
    script.task("t0")
    script.log("of another task")
    script.end_task("t0")
    _, [event] = send(script, spool)
    assert "of another task" not in str(event["breadcrumbs"])


def test_a_backend_that_is_down_does_not_fill_memory(script: Any, spool: Path) -> None:
    """Errors are large: a few are held, the journal has the others, and all arrive in the end."""
    script.task("t1")
    for number in range(100):
        script.error(event_id=f"{number:032x}")
    with SentryReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        shipper = Shipper(spool, sentry=SentryTarget(dsn=receiver.dsn), interval_s=0.01)
        assert not shipper.drain(5)
        assert 0 < shipper.counters.behind < 40
        receiver.answer_by(None)
        assert shipper.drain(30)
        shipper.stop(1)
    assert [event["event_id"] for event in receiver.events] == [f"{n:032x}" for n in range(100)]


@pytest.mark.parametrize(
    "params",
    [{"model_name": "wan22"}, {"orchestrator_details": {"model_name": "wan22"}}],
    ids=["its own", "inherited"],
)
def test_engine_and_model_are_tags_before_the_engine_is_called(
    script: Any, spool: Path, params: dict[str, Any]
) -> None:
    """The model as the task names it; the engine as the task before had it."""
    script.task("t0")
    script.span("engine load", 0, 1, loop26__engine__name="wan2gp", loop26__engine__model="old")
    script.end_task("t0")
    script.task("t1", **params)
    script.begin("stage inputs")
    script.error(stage="inputs")
    assert tags_of_one(spool).items() >= {"engine": "wan2gp", "model": "wan22"}.items()


def test_engine_and_model_are_tags_after_the_engine_is_done(script: Any, spool: Path) -> None:
    """The video is encoded, by nobody who knows the model."""
    script.task("t1")
    script.span("engine generate", 0, 1, loop26__engine__name="wan2gp", loop26__engine__model="w")
    script.begin("stage encode")
    script.error(stage="encode")
    assert tags_of_one(spool).items() >= {"engine": "wan2gp", "model": "w"}.items()


def test_the_model_of_the_task_before_is_no_tag(script: Any, spool: Path) -> None:
    """This one has none, or has not said."""
    script.task("t0")
    script.span("engine load", 0, 1, loop26__engine__name="wan2gp", loop26__engine__model="old")
    script.end_task("t0")
    script.task("t1")
    script.error(stage="inputs")
    assert "model" not in tags_of_one(spool)


def tags_of_one(spool: Path) -> dict[str, str]:
    """Ship the one error that there is; return its tags."""
    with SentryReceiver() as receiver:
        one = Shipper(spool, sentry=SentryTarget(dsn=receiver.dsn))
        assert one.drain(10)
        one.stop(1)
    [event] = receiver.events
    tags: dict[str, str] = event["tags"]
    return tags


def test_our_own_line_that_called_a_library_is_a_tag(script: Any) -> None:
    """The frames say which are our own; the place is both lines."""
    own = {"own_file": "/wgp/vae.py", "own_line": 19, "own_function": "decode"}
    event = event_of(script.error(**own), Surroundings({}, {}), FACTS, FILING)
    assert event["tags"]["called_at"] == "vae.py:19 in decode"
    assert event["contexts"]["failure"]["place"].endswith(", called at /wgp/vae.py:19 in decode")
    alone = event_of(script.error(), Surroundings({}, {}), FACTS, FILING)
    assert "called_at" not in alone["tags"]


def test_the_engine_is_a_tag_before_any_was_called(script: Any) -> None:
    """A task process has one, and its journal says which."""
    facts = msgspec.structs.replace(FACTS, facts={"engine": "tiny"})
    event = event_of(script.error(stage="inputs"), Surroundings({}, {}), facts, FILING)
    assert event["tags"]["engine"] == "tiny"
