"""What runs out of the device's memory is tried once more with all of it freed."""

import dataclasses
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.records import Error
from telemetry.spans import Folder, Span
from worker.engines.base import MemoryFacts
from worker.engines.device_memory import memory_facts
from worker.errors import TaskCancelled
from worker.handlers.base import Context
from worker.handlers.second_try import NOTE, summary, with_second_try

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench
    from worker.engines.base import Engine

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB."


def no_room(said: str = SAID) -> torch.OutOfMemoryError:
    """Make what torch raises."""
    return torch.OutOfMemoryError(said)


class Work:
    """Fails with some exceptions, one a try, and then goes well; keeps what was loaded by then."""

    def __init__(self, context: Context, *raised: BaseException) -> None:
        self._engine = context.engine
        self._raised = list(raised)
        self.loads: list[tuple[str | None, int]] = []

    def __call__(self) -> str:
        """Do it."""
        self.loads.append((self._engine.loaded_model, self._engine.load_count))
        if self._raised:
            raise self._raised.pop(0)
        return "done"


@pytest.fixture
def context(bench: "Bench") -> Context:
    """Make a context in whose engine a model is loaded."""
    bench.engine.load("fade_t2v")
    return bench.context("t2v", {})


def test_work_that_goes_well_is_done_once(context: Context) -> None:
    """And nothing is unloaded."""
    work = Work(context)
    assert with_second_try(context, work) == "done"
    assert work.loads == [("fade_t2v", 1)]


def test_the_second_try_finds_the_model_loaded_anew(context: Context) -> None:
    """Nothing that the first has left is there."""
    work = Work(context, no_room())
    assert with_second_try(context, work) == "done"
    assert work.loads == [("fade_t2v", 1), ("fade_t2v", 2)]


def test_what_finds_no_room_twice_fails(context: Context) -> None:
    """It says who held the memory, which is bounded, and so short enough to be read."""
    work = Work(context, no_room(), no_room("again"))
    with pytest.raises(torch.OutOfMemoryError, match="again") as caught:
        with_second_try(context, work)
    assert len(work.loads) == 2
    assert [note.startswith(NOTE) for note in caught.value.__notes__] == [True]


def test_no_model_is_loaded_for_work_that_is_to_load_one(bench: "Bench") -> None:
    """A load that failed has left none."""
    context = bench.context("t2v", {})
    work = Work(context, no_room())
    with_second_try(context, work)
    assert work.loads == [(None, 0), (None, 0)]


@pytest.mark.parametrize(
    "exc",
    [ValueError("no"), torch.AcceleratorError("CUDA error: unspecified launch failure")],
    ids=["another error", "a poisoned device"],
)
def test_nothing_else_is_tried_again(context: Context, exc: Exception) -> None:
    """It would fail again, or is dangerous to try."""
    work = Work(context, exc)
    with pytest.raises(type(exc)) as caught:
        with_second_try(context, work)
    assert len(work.loads) == 1
    assert not hasattr(caught.value, "__notes__")


def test_a_task_that_was_cancelled_is_not_tried_again(bench: "Bench", context: Context) -> None:
    """Loading takes minutes."""
    bench.notes.cancel_at = "generate"
    bench.notes.said.append("generate")
    work = Work(context, no_room())
    with pytest.raises(TaskCancelled):
        with_second_try(context, work)
    assert len(work.loads) == 1


class Looking:
    """An engine that names tensors by the frames that hold them."""

    loaded_model = None

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Look into the frames."""
        return memory_facts({}, torch.device("cpu"), exc)

    def unload(self) -> None:
        """Do nothing."""


def test_what_the_first_try_held_is_gone_before_the_second(context: Context) -> None:
    """Its frames hold what was computed so far: the very memory that is missing."""
    context = dataclasses.replace(context, engine=cast("Engine", Looking()))
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def work() -> None:
        if held:
            alive.append(held[0]() is not None)
            return
        latents = torch.zeros(8)
        held.append(weakref.ref(latents))
        try:
            raise no_room()
        except RuntimeError as error:
            # A frame that holds its own exception is a cycle.
            error.add_note("a cycle")
            raise RuntimeError("CUDA out of memory, said a library") from error

    gc.disable()
    try:
        with_second_try(context, work)
    finally:
        gc.enable()
    assert alive == [False]


@pytest.fixture
def recorded(context: Context, tmp_path: Path) -> Callable[..., tuple[list[Span], list[Error]]]:
    """Return a function that does work in a stage; it returns the spans and errors of that."""

    def do(*raised: BaseException) -> tuple[list[Span], list[Error]]:
        recorder = Recorder.open(tmp_path / "spool", role="task")
        recorder.install()
        try:
            with recorder.stage("generate"):
                with_second_try(context, Work(context, *raised))
        except RuntimeError as exc:
            recorder.error(exc)
        folder, spans = Folder(), []
        for record in JournalReader(recorder.writer.directory).read():
            spans += folder.feed(record)
        recorder.close()
        return spans, folder.errors

    return do


def attributes(span: Span, event: str) -> list[Any]:
    """Return the attributes of a span's events of a name."""
    return [one.attributes for one in span.events if one.name == event]


def test_the_trace_shows_that_there_was_a_second_try_and_why(
    recorded: Callable[..., tuple[list[Span], list[Error]]],
) -> None:
    """A span of its own for what was freed, and an event of the stage."""
    spans, errors = recorded(no_room())
    by_name = {span.name: span for span in spans}
    reason = f"torch.OutOfMemoryError: {SAID}"
    assert by_name[names.FREE_MEMORY].attributes[names.REASON] == reason
    stage = by_name["stage generate"]
    assert by_name[names.FREE_MEMORY].parent_id == stage.span_id
    assert attributes(stage, names.SECOND_TRY_EVENT) == [{names.REASON: reason}]
    assert len(attributes(stage, names.MEMORY_EVENT)) == 1
    assert [(error.message, error.handled) for error in errors] == [(SAID, True)]


def test_two_lacks_of_room_are_told_as_two(
    recorded: Callable[..., tuple[list[Span], list[Error]]],
) -> None:
    """The first is not said to be the cause of the second: both want for the same."""
    _, errors = recorded(no_room(), no_room("again"))
    assert [(error.message, error.handled) for error in errors] == [(SAID, True), ("again", False)]
    assert "caused_by" not in errors[1].context


def test_people_are_told_the_device_the_model_the_largest_tensor_and_the_others() -> None:
    """In this order, in one line."""
    memory = MemoryFacts(
        device={"total": 80 * 2**30, "largest_free": 2**30},
        components=("26.60 GiB transformer",),
        tensors=("3.00 GiB 1x36 bfloat16: seen in _predict", "1.00 GiB 2x2 float32"),
        processes=("70.00 GiB of process 7",),
    )
    assert summary(memory) == (
        "80.00 GiB total, 1.00 GiB largest free; of the model 26.60 GiB transformer; "
        "of other tensors 3.00 GiB 1x36 bfloat16: seen in _predict; "
        "by processes 70.00 GiB of process 7"
    )


def test_people_are_told_where_nothing_is_known() -> None:
    """An engine need not know."""
    assert summary(MemoryFacts()) == "who holds it is not known"


class Failing:
    """An engine that can neither say who holds its memory, nor load its model a second time."""

    loaded_model = "m"

    def memory(self, _exc: BaseException | None = None) -> MemoryFacts:
        """Fail as a driver in trouble does."""
        raise RuntimeError("NVML does not answer")

    def unload(self) -> None:
        """Do nothing."""

    def load(self, _model: str) -> None:
        """Find no room."""
        raise no_room("no room for the model")


def test_a_model_that_finds_no_room_any_more_fails_as_the_work_would(context: Context) -> None:
    """Whatever cannot be said meanwhile."""
    context = dataclasses.replace(context, engine=cast("Engine", Failing()))

    def work() -> None:
        raise no_room()

    with pytest.raises(torch.OutOfMemoryError, match="no room for the model") as caught:
        with_second_try(context, work)
    assert caught.value.__notes__ == [f"{NOTE}who holds it is not known"]


class Unknowing:
    """An engine that knows nothing of its memory, and has let go of its model by itself."""

    def __init__(self) -> None:
        self.loaded_model: str | None = "m"
        self.freed: list[str | None] = []

    def memory(self, _exc: BaseException | None = None) -> MemoryFacts:
        """Know nothing."""
        return MemoryFacts()

    def unload(self) -> None:
        """Note what was loaded."""
        self.freed.append(self.loaded_model)

    def load(self, model: str) -> None:
        """Load it."""
        self.loaded_model = model


def reraised(said: str = SAID) -> RuntimeError:
    """Make an error of a library that an engine has handled, and raised once more by its text."""
    handled = RuntimeError(said)
    again = RuntimeError(f"Error generating video: {handled}")
    again.__context__, again.__suppress_context__ = handled, True
    return again


def test_an_engine_that_knows_nothing_of_its_memory_has_a_second_try(context: Context) -> None:
    """What it re-raised by its text alone says enough, and a model that is gone is not loaded."""
    engine = Unknowing()
    context = dataclasses.replace(context, engine=cast("Engine", engine))
    raised = [reraised()]

    def work() -> str:
        if raised:
            engine.loaded_model = None
            raise raised.pop()
        return "done"

    assert with_second_try(context, work) == "done"
    assert (engine.freed, engine.loaded_model) == ([None], None)


def test_what_it_cannot_say_twice_is_said_to_be_unknown(context: Context) -> None:
    """The error is the engine's own all the same."""
    context = dataclasses.replace(context, engine=cast("Engine", Unknowing()))

    def work() -> None:
        raise reraised()

    with pytest.raises(RuntimeError, match="Error generating video: CUDA out of memory") as caught:
        with_second_try(context, work)
    assert caught.value.__notes__ == [f"{NOTE}who holds it is not known"]


@pytest.mark.parametrize("exc", [SystemExit(SAID), KeyboardInterrupt(SAID)])
def test_an_engine_that_ends_the_process_has_no_second_try(
    context: Context, exc: BaseException
) -> None:
    """Whatever it says: that is no lack of memory."""
    loads: list[None] = []

    def work() -> None:
        loads.append(None)
        raise exc

    with pytest.raises(type(exc)):
        with_second_try(context, work)
    assert loads == [None]
