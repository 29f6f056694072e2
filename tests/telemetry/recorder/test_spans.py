"""Spans are in the journal before the next line runs, whole and with the line that opened them."""

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

import telemetry
from telemetry import names
from telemetry.recorder import Recorder
from telemetry.records import Kind, SpanUpdate, Status

from .conftest import Recording


class Hostile:
    """Fails the test on anything that is done to it."""

    def _refuse(self, *_: Any) -> Any:
        pytest.fail("foreign code was called")

    __repr__ = __str__ = __len__ = __eq__ = __hash__ = __bool__ = _refuse
    __iter__ = __float__ = __int__ = __getattr__ = __getattribute__ = _refuse


def _line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_a_span_is_in_the_journal_before_the_block_begins(recording: Recording) -> None:
    """With all its attributes, its place and its record's number."""
    with telemetry.span("denoise step", {"loop26.step.index": 3}, kind=SpanKind.CLIENT):
        (record,) = recording.records()
        line = _line() - 2

    assert (record.kind, record.body.name, record.body.kind) == (Kind.SPAN_BEGIN, "denoise step", 2)
    assert record.body.attributes == {
        "loop26.step.index": 3,
        "code.file.path": __file__,
        "code.line.number": line,
        "code.function.name": "test_a_span_is_in_the_journal_before_the_block_begins",
        "loop26.journal.seq": record.seq,
    }


def test_the_line_is_that_of_the_caller_behind_a_context_manager(recording: Recording) -> None:
    """A function of the program that wraps a span is the place, contextlib is not."""

    @contextlib.contextmanager
    def wrapped() -> Iterator[None]:
        with telemetry.span("wrapped"):
            yield

    with contextlib.ExitStack() as stack:
        stack.enter_context(telemetry.span("stacked"))
        with wrapped():
            pass

    found = {b.name: b.attributes[names.CODE_FUNCTION] for b in recording.bodies(Kind.SPAN_BEGIN)}
    own = "test_the_line_is_that_of_the_caller_behind_a_context_manager"
    assert found == {"stacked": own, "wrapped": f"{own}.<locals>.wrapped"}


def test_spans_nest(recording: Recording) -> None:
    """The parent is the span that is current, in the same trace."""
    with telemetry.span("outer") as outer, telemetry.span("inner"):
        pass

    spans = recording.spans()
    assert spans["inner"].parent_id == outer.span_id == spans["outer"].span_id
    assert spans["inner"].trace_id == spans["outer"].trace_id
    assert spans["outer"].parent_id is None


def test_coroutines_and_threads_have_contexts_of_their_own(recording: Recording) -> None:
    """A span of one is no parent in another; a task of asyncio inherits its creator's."""

    async def child(name: str) -> None:
        with telemetry.span(name):
            await asyncio.sleep(0)

    async def both() -> None:
        with telemetry.span("root"):
            await asyncio.gather(child("first"), child("second"))

    asyncio.run(both())
    with telemetry.span("main"):
        thread = threading.Thread(target=lambda: asyncio.run(child("thread")))
        thread.start()
        thread.join()

    spans = recording.spans()
    assert spans["first"].parent_id == spans["second"].parent_id == spans["root"].span_id
    assert spans["thread"].parent_id is None


def test_what_is_set_later_is_written_at_once(recording: Recording) -> None:
    """A span that is killed has what was set before."""
    with telemetry.span("load") as span:
        span.set({"a.b": 1}, c=None)
        update = recording.records()[-1]

    assert update.body == SpanUpdate(
        span_id=span.span_id, attributes={"a.b": 1, "c": "null", "c.is_null": True}
    )
    assert recording.spans()["load"].attributes["a.b"] == 1


def test_events_are_written_at_once(recording: Recording) -> None:
    """Name, time and attributes."""
    with telemetry.span("load") as span:
        span.add_event("weights read", {"bytes": 7}, timestamp=123)
        (event,) = recording.bodies(Kind.SPAN_EVENT)

    assert (event.name, event.at_ns, event.attributes) == ("weights read", 123, {"bytes": 7})


def test_nothing_can_be_done_to_a_span_that_has_ended(recording: Recording) -> None:
    """Every call returns and writes nothing."""
    with telemetry.span("load") as span:
        pass
    written = len(recording.records())
    span.set(a=1)
    span.add_event("late")
    span.record_exception(ValueError())
    span.update_name("late")
    span.end()

    assert len(recording.records()) == written
    assert not span.is_recording()


def test_ids_given_in_advance_are_used(recording: Recording) -> None:
    """The supervisor stores a `process` span's ids with the claim, then opens the span."""
    with telemetry.span("other"):
        given = recording.recorder.span(
            "process t2v", trace_id=b"t" * 16, span_id=b"s" * 8, start_ns=5
        )
        with given:
            pass

    span = recording.spans()["process t2v"]
    assert (span.trace_id, span.span_id, span.start_ns) == (b"t" * 16, b"s" * 8, 5)
    assert span.parent_id is None  # the current span is of another trace


def test_a_seeded_program_still_has_ids_of_its_own(recording: Recording) -> None:
    """Generation seeds the global random numbers, twice with the same seed."""
    import random

    for _ in range(2):
        random.seed(42)
        with telemetry.span("step"):
            pass

    assert len({body.span_id for body in recording.bodies(Kind.SPAN_BEGIN)}) == 2


@pytest.mark.parametrize(
    "exception",
    [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError],
)
def test_whatever_leaves_a_block_ends_its_span_as_an_error(
    recording: Recording, exception: type[BaseException]
) -> None:
    """Also what is no Exception; the event stands once, on the innermost span."""
    with (
        pytest.raises(exception),
        telemetry.stage("model"),
        telemetry.span("inner"),
    ):
        raise exception("why")

    spans = recording.spans()
    assert [span.status for span in spans.values()] == [Status.ERROR, Status.ERROR]
    name = exception.__qualname__
    assert spans["inner"].attributes[names.ERROR_TYPE].endswith(name)
    assert spans["stage model"].attributes[names.ERROR_TYPE].endswith(name)
    (event,) = spans["inner"].events
    assert event.attributes[names.EXCEPTION_MESSAGE] == "why"
    assert event.attributes[names.CODE_FILE] == __file__
    assert f"{name}: why" in event.attributes[names.EXCEPTION_STACKTRACE]
    assert spans["stage model"].events == ()


def test_an_iteration_carries_its_place_and_what_was_none(recording: Recording) -> None:
    """None is what is looked for, and OpenTelemetry would drop it."""
    with telemetry.iteration(26, 32, {names.PARAM_KEY: "guidance_phases", names.PARAM_OLD: None}):
        pass

    attributes = recording.spans()["loop iteration"].attributes
    assert attributes[names.LOOP_INDEX] == 26
    assert attributes[names.LOOP_COUNT] == 32
    assert attributes[names.PARAM_OLD] == "null"
    assert attributes[names.PARAM_OLD + names.IS_NULL] is True


def test_an_engine_call_carries_each_scalar_it_was_given(recording: Recording) -> None:
    """And the model name, even when it is empty: in the incident it was."""
    params = {"frames": 81, "sampler": None, "loras": ["a"], "image": object()}
    with telemetry.engine_call("model_def", engine="wan2gp", model="", params=params):
        pass

    attributes = recording.spans()["engine model_def"].attributes
    assert attributes[names.ENGINE_NAME] == "wan2gp"
    assert attributes[names.ENGINE_MODEL] == ""
    found = {k: v for k, v in attributes.items() if k.startswith(names.ENGINE_PARAM)}
    assert found == {
        names.ENGINE_PARAM + "frames": 81,
        names.ENGINE_PARAM + "sampler": "null",
        names.ENGINE_PARAM + "sampler" + names.IS_NULL: True,
    }


def test_values_of_any_type_become_plain_without_being_asked(recording: Recording) -> None:
    """An attribute's own code could block, exit or crash."""
    values = {
        "object": Hostile(),
        "list": [Hostile(), 1],
        "dict": {"a": None, "b": [1.5], "c": Hostile()},
        "texts": ["a", "b"],
        "mixed": [1, "a"],
        "huge": 2**70,
        "path": Path("/a/b"),
        "bytes": b"abc",
        "lone": "\udc80",
    }
    with telemetry.span("values", values):
        pass

    hostile = f"<{Hostile.__module__}.Hostile>"
    attributes = recording.spans()["values"].attributes
    assert {key: attributes[key] for key in values} == {
        "object": hostile,
        "list": f'["{hostile}",1]',
        "dict": f'{{"a":null,"b":[1.5],"c":"{hostile}"}}',
        "texts": ["a", "b"],
        "mixed": '[1,"a"]',
        "huge": str(2**70),
        "path": "/a/b",
        "bytes": "<bytes 3>",
        "lone": "\\udc80",
    }


def test_a_tensor_becomes_its_shape(recording: Recording) -> None:
    """Not its numbers: reading those would wait for the device."""
    torch = pytest.importorskip("torch")
    with telemetry.span("tensor", {"latents": torch.zeros(1, 16, 21, dtype=torch.bfloat16)}):
        pass

    found = recording.spans()["tensor"].attributes["latents"]
    assert found == "<torch.Tensor 1x16x21 bfloat16 cpu>"


def test_numpy_scalars_are_numbers(recording: Recording) -> None:
    """Schedulers hand out float32 and int64."""
    numpy = pytest.importorskip("numpy")
    with telemetry.span("step", {"sigma": numpy.float32(0.5), "t": numpy.int64(999)}):
        pass

    attributes = recording.spans()["step"].attributes
    assert (attributes["sigma"], attributes["t"]) == (0.5, 999)


def test_a_task_is_marked_with_its_outcome(recording: Recording) -> None:
    """From its begin to its end, the records are its own."""
    with recording.recorder.task(
        task_id="e040ae48", attempt=2, task_type="t2v", trace_id=b"t" * 16, worker_id="w"
    ) as scope:
        scope.outcome = "Done"

    (begin,), (end,) = recording.bodies(Kind.TASK_BEGIN), recording.bodies(Kind.TASK_END)
    assert (begin.task_id, begin.attempt, begin.task_type) == ("e040ae48", 2, "t2v")
    assert (end.task_id, end.attempt, end.outcome) == ("e040ae48", 2, "Done")


def test_a_task_begins_with_what_was_asked(recording: Recording) -> None:
    """Without secrets; nothing of parameters that are too large for a record."""
    for params in ({"seed": 1, "api_key": "x1"}, {"seed": 1, "text": "x" * 300_000}, None):
        with recording.recorder.task(
            task_id="t1",
            attempt=1,
            task_type="t2v",
            trace_id=b"t" * 16,
            worker_id="gpu-1",
            params=params,
        ):
            pass
    begun = recording.bodies(Kind.TASK_BEGIN)
    assert [body.params for body in begun] == [{"seed": 1, "api_key": "[redacted]"}, {}, {}]


def test_without_a_recorder_nothing_is_recorded_and_nothing_fails() -> None:
    """Library code opens its spans wherever it runs."""
    assert telemetry.current() is None
    with telemetry.stage("model"), telemetry.iteration(1, 2), telemetry.span("x") as span:
        span.set(a=Hostile())
        assert not span.get_span_context().is_valid
        assert not trace.get_current_span().is_recording()


def test_closing_writes_how_the_process_ends(tmp_path: Path) -> None:
    """And a later span is not recorded, nor does it fail."""
    recorder = Recorder.open(tmp_path, role="cli")
    recorder.install()
    recording = Recording(recorder)
    recorder.close(exit_code=80)
    with recorder.span("late"):
        pass

    (end,) = recording.bodies(Kind.PROCESS_END)
    assert (end.kind, end.exit_code) == ("exit", 80)
    assert recording.records()[-1].kind is Kind.PROCESS_END


def test_a_span_may_end_with_attributes(recording: Recording) -> None:
    """In one record with its end; what follows in the block is passed over."""
    with telemetry.span("loop iteration", {"loop26.param.key": "seed"}) as span:
        span.end(attributes={"loop26.param.key": "seed", "loop26.param.new": 7, "token": "abc"})
        span.set_attribute("late", value=True)

    (found,) = recording.spans().values()
    assert found.attributes["loop26.param.new"] == 7
    assert found.attributes["token"] == "[redacted]"  # noqa: S105 - what stands in its place
    assert "late" not in found.attributes
    assert len(recording.records()) == 2


def test_a_source_file_need_not_have_a_name_in_unicode(recording: Recording) -> None:
    """Its span is there all the same, with the path as Python would write it."""
    program = compile("with span('far'): pass", "/srv/\udcff.py", "exec")
    exec(program, {"span": telemetry.span})  # noqa: S102 - a program of our own
    (begin,) = recording.bodies(Kind.SPAN_BEGIN)
    assert begin.attributes[names.CODE_FILE] == "/srv/\\udcff.py"
