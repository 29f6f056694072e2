"""The witness around an entry: in the task's context, whoever calls it in whatever thread."""

import inspect
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry import names
from telemetry.records import Kind
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.steps import StepSpans
from worker.engines.wan2gp.witness import Witness
from worker.errors import TaskCancelled

from .conftest import REQUEST, TRACE, Recording
from .test_listener import Watching

HERE = Path(__file__).parent


def witness() -> Witness:
    """Make one, in the context that it is to run the entry in."""
    return Witness(lambda: Listener(Watching(), StepSpans(REQUEST), lambda: None, root=HERE))


def nothing(command: str, data: Any = None) -> None:
    """Be told."""


def entry(task: Any, send_cmd: Callable[..., Any], prompt: str = "", **others: Any) -> str:
    """Be an entry that tells a failure."""
    send_cmd("error", f"a failure of {prompt} {sorted(others)}")
    return f"made {task}"


def in_thread(call: Callable[[], Any]) -> None:
    """Call in another thread, with a context of its own, to the end."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def told(found: Witness) -> list[str]:
    """Return the failures that were told."""
    assert found.listener is not None
    return [report.text for report in found.listener.reported]


def test_the_entry_is_called_as_it_was() -> None:
    """With all it is given; what it returns is returned."""
    found = witness()
    assert found.around(entry)(1, nothing, prompt="a lake", seed=2) == "made 1"
    assert told(found) == ["a failure of a lake ['seed']"]
    assert found.escaped is None


def test_its_signature_is_the_entrys() -> None:
    """A session filters by it."""
    called = witness().around(entry)
    assert inspect.signature(called) == inspect.signature(entry)
    assert called.__name__ == "entry"


@pytest.mark.parametrize(
    "call",
    [
        lambda called, send: called(1, send),
        lambda called, send: called(task=1, send_cmd=send),
        lambda called, send: called(1, send_cmd=send),
    ],
)
def test_it_hears_what_is_sent(call: Callable[..., Any]) -> None:
    """Given by its place or by its name; whoever called is sent it too."""
    found, sent = witness(), list[tuple[Any, ...]]()
    call(found.around(entry), lambda *said: sent.append(said))
    assert told(found) == ["a failure of  []"]
    assert sent == [("error", "a failure of  []")]


@pytest.mark.parametrize(
    "send",
    [
        lambda send: send("error", "text"),
        lambda send: send("error", data="text"),
        lambda send: send(cmd="error", data="text"),
    ],
)
def test_it_hears_whatever_the_callback_calls_what_it_takes(send: Callable[..., Any]) -> None:
    """The names are the caller's."""
    sent: list[Any] = []

    def theirs(cmd: str, data: Any = None) -> str:
        sent.append((cmd, data))
        return "sent"

    def telling(_: Any, send_cmd: Callable[..., Any]) -> Any:
        return send(send_cmd)

    found = witness()
    assert found.around(telling)(1, theirs) == "sent"
    assert (told(found), sent) == (["text"], [("error", "text")])


def test_a_command_without_data_is_passed_on_so() -> None:
    """The callback's own default stands."""
    sent: list[Any] = []
    found = witness()
    found.around(lambda _, send_cmd: send_cmd("output"))(1, lambda *said: sent.append(said))
    assert sent == [("output",)]


def test_an_entry_without_a_callback_is_called() -> None:
    """Nothing is heard."""
    assert witness().around(lambda: "made")() == "made"


def test_another_thread_works_in_the_task(recording: Recording) -> None:
    """Its spans, logs and exceptions have the task's trace, the call's span and the stage."""

    def generate(_: Any, send_cmd: Callable[..., Any]) -> None:
        logging.getLogger("engine").info("works")
        with recording.recorder.span("inside"):
            pass
        try:
            raise KeyError("a tensor")  # noqa: TRY301 - as an engine does
        except KeyError as exc:
            send_cmd("error", str(exc))

    with recording.generating() as span:
        called = witness().around(generate)
        in_thread(lambda: called(1, nothing))
    [line] = recording.lines("engine")
    [error] = recording.bodies(Kind.ERROR)
    inside = next(one for one in recording.spans() if one.name == "inside")
    assert {line.trace_id, error.trace_id, inside.trace_id} == {TRACE}
    assert {line.span_id, error.span_id, inside.parent_id} == {span.span_id}
    assert (error.stage, error.task_id) == ("generate", "e040ae48")


def test_what_another_thread_prints_is_in_the_task(recording: Recording) -> None:
    """Though a session has put a stream of its own there."""

    def generate(*_: Any) -> None:
        print("printed")

    with recording.generating() as span:
        called = witness().around(generate)
        in_thread(lambda: called(1, nothing))
    [line] = recording.lines()
    assert (line.message, line.span_id) == ("printed", span.span_id)


@pytest.mark.parametrize("other", [True, False])
def test_the_thread_that_works_is_named(recording: Recording, other: object) -> None:
    """As stacks name it; the main one is not."""
    threads: list[int] = []

    def generate(*_: Any) -> None:
        threads.append(threading.get_ident())

    with recording.generating():
        called = witness().around(generate)
        if other:
            in_thread(lambda: called(1, nothing))
        else:
            called(1, nothing)
    [span] = [span for span in recording.spans() if span.name == "engine generate"]
    own = f"0x{threads[0]:016x}" if other else None
    assert span.attributes.get(names.WORKING_THREAD) == own


@pytest.mark.parametrize("exc", [ValueError("raw"), SystemExit(0), KeyboardInterrupt()])
def test_what_escapes_goes_on_and_is_kept(recording: Recording, exc: BaseException) -> None:
    """And is in the record, whatever the caller makes of it."""

    def generate(*_: Any) -> None:
        raise exc

    found = witness()
    with recording.generating(), pytest.raises(type(exc)):
        found.around(generate)(1, nothing)
    assert found.escaped is exc
    assert [error.type for error in recording.bodies(Kind.ERROR)] == [type(exc).__name__]


def test_what_escapes_ends_its_step_as_failed(recording: Recording) -> None:
    """The step is where it was raised."""

    def generate(_: Any, send_cmd: Callable[..., Any]) -> None:
        send_cmd("progress", [(0, 3), "Denoising", 3])
        raise ValueError("raw")

    with recording.generating(), pytest.raises(ValueError, match="raw"):
        witness().around(generate)(1, nothing)
    [step] = [span for span in recording.spans() if span.name == names.DENOISE_STEP]
    [error] = recording.bodies(Kind.ERROR)
    assert (step.status, error.span_id) == (2, step.span_id)


def test_our_own_cancel_that_escapes_is_no_error(recording: Recording) -> None:
    """It is kept, and goes on."""

    def generate(*_: Any) -> None:
        raise TaskCancelled("by the test")

    found = witness()
    with recording.generating(), pytest.raises(TaskCancelled):
        found.around(generate)(1, nothing)
    assert isinstance(found.escaped, TaskCancelled)
    assert recording.bodies(Kind.ERROR) == []


def test_an_entry_that_goes_on_to_another_name_of_itself_is_witnessed_once() -> None:
    """Each name stands for the same: one listener hears it, once."""
    found = witness()
    inner = found.around(entry)

    def outer(task: Any, send_cmd: Callable[..., Any]) -> Any:
        return inner(task, send_cmd, prompt="inner")

    assert found.around(outer)(1, nothing) == "made 1"
    assert told(found) == ["a failure of inner []"]


def test_the_streams_are_as_they_were() -> None:
    """After it."""
    before = sys.stdout, sys.stderr
    witness().around(entry)(1, nothing)
    assert (sys.stdout, sys.stderr) == before


def test_an_entry_that_was_never_called_has_no_listener() -> None:
    """A validation that failed before it, as a rule."""
    assert (witness().listener, witness().escaped) == (None, None)


KNOWN: dict[str, str] = {}


def checked(task: str) -> str:
    """Be a function that is called before the entry, and says in words what it has caught."""
    try:
        KNOWN[task]
    except KeyError as exc:
        print(f"not valid: {exc}")
    return f"checked {task}"


def refusing() -> None:
    """Be one that raises."""
    raise AttributeError("'NoneType' object has no attribute 'get'")


def test_what_comes_before_the_entry_is_heard_too(recording: Recording) -> None:
    """In the task's context, whatever thread calls it: what it prints, and has in hand then."""
    with recording.generating() as span:
        found = witness()
        answers: list[str] = []
        in_thread(lambda: answers.append(found.before(checked)("a lake")))
    assert answers == ["checked a lake"]
    [line] = recording.lines("wan2gp.stdout")
    assert (line.message, line.span_id) == ("not valid: 'a lake'", span.span_id)
    [error] = recording.bodies(Kind.ERROR)
    assert (error.type, error.handled) == ("KeyError", True)
    assert found.escaped_before is None


def test_what_leaves_it_is_kept_as_it_is(recording: Recording) -> None:
    """Who called it makes a text of it."""
    with recording.generating():
        found = witness()
        with pytest.raises(AttributeError) as caught:
            found.before(refusing)()
    assert found.escaped_before is caught.value
    assert found.escaped is None
    [error] = recording.bodies(Kind.ERROR)
    assert error.file == __file__


def test_the_entry_may_call_what_comes_before_it() -> None:
    """Both are called in the task's context."""
    found = witness()
    before = found.before(checked)

    def calling(task: str, send_cmd: Callable[..., Any]) -> str:
        send_cmd("status", "checking")
        return str(before(task))

    assert found.around(calling)("a lake", nothing) == "checked a lake"


def test_an_entry_that_is_called_twice_is_heard_twice() -> None:
    """As for each of several prompts; what the first call reported is not forgotten."""
    found = witness()
    called = found.around(entry)
    for prompt in ("a lake", "a hill"):
        called(1, nothing, prompt=prompt)
    assert told(found) == ["a failure of a lake []", "a failure of a hill []"]
