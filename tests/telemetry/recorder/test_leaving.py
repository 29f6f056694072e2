"""An exception is taken down as it leaves the innermost span, whatever runs or dies after that."""

import asyncio
import concurrent.futures
import contextlib
import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace

import telemetry
from telemetry.recorder.leaving import MOST, MOST_OF_A_KIND
from telemetry.records import Error, Kind
from telemetry.spans import Folder

from .conftest import Recording, running

log = logging.getLogger("engine")
OPENINGS: dict[str, Callable[[], Any]] = {
    "span": lambda: telemetry.span("step"),
    "stage": lambda: telemetry.stage("generate"),
    "start_as_current_span": lambda: trace.get_tracer("library").start_as_current_span("step"),
    "use_span": lambda: trace.use_span(
        trace.get_tracer("library").start_span("step"), end_on_exit=True
    ),
}


def raised(recording: Recording) -> list[Error]:
    """Return what was taken down of exceptions that left spans."""
    return [body.error for body in recording.bodies(Kind.RAISED)]


def failed(function: Callable[[], Any]) -> BaseException:
    """Return what a function raises."""
    try:
        function()
    except BaseException as exc:  # noqa: BLE001 - whatever it is, is looked at
        return exc
    raise AssertionError("it did not raise")


def leaving(exc: BaseException, opening: Callable[[], Any] = OPENINGS["span"]) -> None:
    """Raise an exception out of a span."""
    with opening():
        raise exc


def engine() -> None:
    """Fail as an engine does that cleans up after itself."""
    entry: dict[str, Any] | str = {"inner": None}
    try:
        with telemetry.span("engine model_def"):
            entry["inner"].get("frames")  # type: ignore[index]  # the fault
    finally:
        entry = "released"


def outer(depth: int = 7) -> None:
    """Stand between the span and the boundary."""
    if depth:
        engine()


def test_values_are_those_of_the_failing_line(recording: Recording) -> None:
    """Not those that a `finally` block has left; the frames outside of the span are there, too."""
    error = recording.recorder.error(failed(outer))

    frames = {frame.function: frame for frame in error.chain[0].frames}
    assert list(frames)[-2:] == ["outer", "engine"]
    assert frames["engine"].locals == {"entry": {"inner": None}}
    assert frames["outer"].locals == {"depth": 7}
    assert recording.bodies(Kind.ERROR) == [error]


def test_an_error_is_of_the_time_at_which_it_left_its_span(recording: Recording) -> None:
    """Not of that of the boundary, where it is written: a timeline shows it where it happened."""
    error = recording.recorder.error(failed(outer))
    [first] = raised(recording)
    assert error.at_ns == first.at_ns


def test_it_is_taken_down_while_its_span_is_open(task: Recording) -> None:
    """With the frames inside of the span, its ids and its place; the error has the same id."""

    def staged() -> None:
        with telemetry.stage("parameters"):
            outer()

    error = task.recorder.error(failed(staged))

    [first] = raised(task)
    kinds = [record.kind for record in task.records()]
    begun = [body for body in task.bodies(Kind.SPAN_BEGIN) if body.name == "engine model_def"]
    assert kinds.index(Kind.RAISED) < kinds.index(Kind.SPAN_EVENT) < kinds.index(Kind.SPAN_END)
    assert [frame.function for frame in first.chain[0].frames] == ["engine"]
    assert (first.span_id, first.stage, first.task_id) == (
        begun[0].span_id,
        "parameters",
        "e040ae48",
    )
    assert (first.type, first.line, first.place) == (error.type, error.line, "raised at")
    assert first.expression == "entry['inner']"
    assert (first.event_id, first.fingerprint) == (error.event_id, error.fingerprint)
    assert not first.handled


def test_a_prompt_that_only_a_frame_holds_is_in_no_record(task: Recording) -> None:
    """It is learned from the frame before the exception's text is written anywhere."""

    def encode(prompt: str) -> None:
        with telemetry.span("step"):
            raise ValueError(f"too long: {prompt}")

    words = ("a", "private", "prompt")  # these lines, too, are in the record
    text = " ".join(words)
    task.recorder.redactor.record_prompts = False
    task.recorder.error(failed(lambda: encode(text)))

    assert "too long: [prompt hidden]" in task.text()
    assert text not in task.text()


@pytest.mark.parametrize("opening", OPENINGS)
def test_it_is_taken_down_once_however_many_spans_it_leaves(task: Recording, opening: str) -> None:
    """Whoever opened them."""

    def through() -> None:
        with telemetry.stage("generate"), OPENINGS[opening](), OPENINGS[opening]():
            raise ValueError("why")

    task.recorder.error(failed(through))

    [first] = raised(task)
    assert [frame.function for frame in first.chain[0].frames] == [
        f"{test_it_is_taken_down_once_however_many_spans_it_leaves.__name__}.<locals>.through"
    ]


def test_what_is_wrapped_keeps_its_first_values(recording: Recording) -> None:
    """As the cause of another, which leaves the next span."""

    def wrapping() -> None:
        with telemetry.stage("generate"):
            try:
                engine()
            except AttributeError as exc:
                raise RuntimeError("generation failed") from exc

    error = recording.recorder.error(failed(wrapping))

    assert [facts.type for facts in error.chain] == ["RuntimeError", "AttributeError"]
    assert error.chain[1].frames[-1].locals == {"entry": {"inner": None}}
    assert [one.type for one in raised(recording)] == ["AttributeError", "RuntimeError"]


def test_what_is_handled_after_its_span_has_the_id_that_it_had_there(task: Recording) -> None:
    """If it goes on, it is a new one: the failure's."""

    def logged() -> None:
        with telemetry.stage("generate"), telemetry.span("call"):
            try:
                engine()
            except AttributeError:
                log.exception("failed")
                raise

    failure = task.recorder.error(failed(logged))

    handled, written = task.bodies(Kind.ERROR)
    assert (handled.handled, written) == (True, failure)
    assert [one.event_id for one in raised(task)] == [handled.event_id, failure.event_id]
    assert failure.context["written_before"] == handled.event_id != failure.event_id
    assert failure.chain[0].frames[-1].locals == {"entry": {"inner": None}}


class TaskCancelled(Exception):
    """As the worker's own, which a check inside of the engine raises."""


@pytest.mark.parametrize(
    "kind",
    [
        asyncio.CancelledError,
        concurrent.futures.CancelledError,
        TaskCancelled,
        StopIteration,
        StopAsyncIteration,
        GeneratorExit,
    ],
)
def test_control_flow_is_not_taken_down(task: Recording, kind: type[BaseException]) -> None:
    """It is nobody's failure."""
    failed(lambda: leaving(kind()))

    assert raised(task) == []


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_process_is_taken_down(task: Recording, kind: type[BaseException]) -> None:
    """A call of sys.exit in an engine, and an interrupt, are its failure."""
    failed(lambda: leaving(kind()))

    assert [one.type for one in raised(task)] == [kind.__name__]


def test_a_flood_is_counted(recording: Recording) -> None:
    """A loop may raise and handle thousands; each task begins anew."""
    for name in ("first", "second"):
        with running(recording, name):
            for _ in range(100):
                failed(lambda: leaving(ValueError("why")))

    left_out = 100 - MOST_OF_A_KIND
    assert [one.task_id for one in raised(recording)] == [
        *["first"] * MOST_OF_A_KIND,
        *["second"] * MOST_OF_A_KIND,
    ]
    said = [body.message for body in recording.bodies(Kind.LOG)]
    assert said == [f"exceptions that left spans and were not taken down: {left_out}"] * 2


def test_many_kinds_are_bounded(task: Recording) -> None:
    """And what was left out on its way is an error as any other when it is written."""
    for number in range(MOST + 5):
        last = failed(lambda: leaving(type(f"Kind{number}", (Exception,), {})()))  # noqa: B023 - called at once
    error = task.recorder.error(last)

    assert len(raised(task)) == MOST
    assert error.chain[0].frames[-1].function == "leaving"
    assert error.event_id not in {one.event_id for one in raised(task)}


def test_a_raised_one_is_no_error_to_who_reads_errors(task: Recording) -> None:
    """Whether it is one, is not decided yet."""
    failed(lambda: leaving(ValueError("why")))
    folder = Folder()
    for record in task.records():
        folder.feed(record)

    assert (len(raised(task)), folder.errors) == (1, [])


class Tensor:
    """Something large."""


class OutOfMemory(Exception):
    """As torch's; it may be referred to weakly, which built-in ones may not."""


def allocate() -> None:
    """Find no room."""
    raise OutOfMemory


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Leave cycles where they are: what goes, goes because nothing refers to it."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("say", [lambda: None, lambda: log.error("failed")], ids=["", "logged"])
def test_what_a_task_lets_go_of_goes(task: Recording, say: Callable[[], None]) -> None:
    """The exception, and what the function that goes on deletes, to try again with less."""
    latents = Tensor()
    gone: list[weakref.ref[Any]] = [weakref.ref(latents)]
    try:
        with telemetry.span("decode"):
            allocate()
    except OutOfMemory as exc:
        gone.append(weakref.ref(exc))
        say()
    del latents

    assert [one() for one in gone] == [None, None]
    assert raised(task)[0].chain[0].frames[0].locals["latents"] == f"<{__name__}.Tensor>"


def test_what_a_task_has_read_of_its_own_variables_stays(task: Recording) -> None:
    """`locals()` gives the dictionary that reading a frame's variables fills."""
    model_type = "t2v"
    params = locals()
    with contextlib.suppress(ValueError), telemetry.span("call"):
        raise ValueError("why")

    assert params["model_type"] == model_type
    assert len(raised(task)) == 1


class Failing(Exception):
    """Raises another out of a span whenever its text is asked for."""

    def __str__(self) -> str:
        failed(lambda: leaving(ValueError("asked")))
        return "failing"


def test_an_exception_that_raises_another_ends(task: Recording) -> None:
    """What leaves a span while one is taken down is not taken down itself."""
    failed(lambda: leaving(Failing()))

    assert f"{__name__}.Failing" in [one.type for one in raised(task)]
