"""An exception that an engine swallows is written where it is handled, and named as the cause."""

import contextlib
import io
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from traceback import format_exc, print_exc
from types import FrameType
from typing import Any

import pytest

import telemetry
from telemetry import names
from telemetry.recorder import Recorder
from telemetry.recorder.suspects import MOST
from telemetry.records import Error, Kind, Log, Status

from .conftest import Recording, running

log = logging.getLogger("engine")


def frames_minimum(model_type: str) -> Any:
    """Fail as the engine of the incident does."""
    registry: dict[str, Any] = {"t2v": {}}
    model_def = registry.get(model_type)
    return model_def.get("frames_minimum", 5)  # type: ignore[union-attr]  # the incident's fault


def errors(recording: Recording) -> list[Error]:
    """Return the errors that were written."""
    return recording.bodies(Kind.ERROR)


def quietly(function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Call a function and keep stderr from the test's output."""
    with contextlib.redirect_stderr(io.StringIO()):
        function(*args, **options)


SAYINGS: dict[str, tuple[str, Callable[[Exception], Any]]] = {
    "logger.exception": ("log", lambda _: log.exception("failed")),  # noqa: LOG004 - it is called in one
    "logger.error with its text": ("log", lambda exc: log.error("failed: %s", exc)),
    "logger.warning": ("log", lambda _: log.warning("goes on")),
    "logger.info with exc_info": ("log", lambda exc: log.info("goes on", exc_info=exc)),
    "traceback.print_exc": ("traceback", lambda _: quietly(traceback.print_exc)),
    "print_exc by its own name": ("traceback", lambda _: quietly(print_exc)),
    "format_exc by its own name": ("traceback", lambda _: format_exc()),
    "print_exception": ("traceback", lambda exc: quietly(traceback.print_exception, exc)),
    "swallowed(exc)": ("callback", telemetry.swallowed),
    "swallowed(text)": ("callback", lambda exc: telemetry.swallowed(f"Error: {exc}")),
    "swallowed(other text)": ("callback", lambda _: telemetry.swallowed("It did not work")),
}


@pytest.mark.parametrize("saying", SAYINGS)
def test_what_is_swallowed_is_written_where_it_is_handled(task: Recording, saying: str) -> None:
    """With frames, locals, the span and the place it has there; that span is no failure."""
    found, say = SAYINGS[saying]
    with (
        telemetry.stage("generate"),
        telemetry.engine_call("generate", engine="e", model="m") as span,
    ):
        try:
            frames_minimum("")
        except AttributeError as exc:
            say(exc)

    [error] = errors(task)
    assert (error.handled, error.context["found"]) == (True, found)
    assert (error.type, error.function) == ("AttributeError", "frames_minimum")
    assert error.expression == "model_def"
    assert error.chain[0].frames[-1].locals["model_type"] == ""
    assert (error.span_id, error.stage, error.task_id) == (span.span_id, "generate", "e040ae48")
    ended = task.spans()["engine generate"]
    [event] = ended.events
    assert ended.status == Status.UNSET
    assert event.attributes[names.ERROR_ID] == error.event_id
    assert event.attributes[names.ERROR_HANDLED] is True


def test_a_logger_that_keeps_its_records_is_heard_too(
    task: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries have handlers of their own, and propagate nothing; others are disabled."""
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(log, "handlers", [logging.NullHandler()])
    swallow(lambda: log.error("failed"))

    assert [error.type for error in errors(task)] == ["AttributeError"]


def swallow(
    say: Callable[[], Any], function: Callable[[], Any] = lambda: frames_minimum("")
) -> None:
    """Handle what a function raises, as an engine does."""
    try:
        function()
    except Exception:  # noqa: BLE001 - as an engine does
        say()


def test_nothing_is_written_of_what_is_no_failure(task: Recording) -> None:
    """Handled in silence, below a warning, control flow, or nothing in hand at all."""
    swallow(lambda: None)
    swallow(lambda: log.info("goes on"))
    log.error("nothing in hand")
    format_exc()
    for each in (KeyboardInterrupt(), GeneratorExit()):
        try:
            raising(each)()
        except (KeyboardInterrupt, GeneratorExit):
            log.exception("stopped")

    assert errors(task) == []


def test_outside_of_tasks_nothing_is_written(recording: Recording) -> None:
    """What a process does between tasks is nobody's cause."""
    swallow(lambda: log.error("failed"))
    telemetry.swallowed("Error")

    assert errors(recording) == []


def test_an_exception_is_written_once_however_often_it_is_said(task: Recording) -> None:
    """An engine may print it, log it, and pass it on."""

    def say() -> None:
        log.error("failed")
        format_exc()
        telemetry.swallowed(sys.exc_info()[1] or "")

    swallow(say)
    assert len(errors(task)) == 1


def test_the_same_failure_again_is_counted(recording: Recording) -> None:
    """One of each kind a task, and its number at the task's end; the next task begins anew."""
    for name in ("first", "second"):
        with running(recording, name):
            for _ in range(100):
                swallow(lambda: log.error("failed"))

    assert [error.task_id for error in errors(recording)] == ["first", "second"]
    summaries = [one.message for one in warnings_of(recording)]
    assert len(summaries) == 2
    assert summaries[0].endswith(f"{__file__}:{line_of(frames_minimum, 4)} 99 times more")


def warnings_of(recording: Recording) -> list[Log]:
    """Return what telemetry itself has logged."""
    logs = recording.bodies(Kind.LOG)
    return [one for one in logs if one.logger.startswith("telemetry.")]


def line_of(function: Any, number: int) -> int:
    """Return a line of a function."""
    return int(function.__code__.co_firstlineno) + number


def test_a_task_that_handles_many_kinds_is_bounded(recording: Recording) -> None:
    """Each costs a snapshot; what goes beyond is counted."""
    with running(recording):
        for number in range(MOST + 5):
            kind = type(f"Kind{number}", (Exception,), {})
            swallow(lambda: log.error("failed"), raising(kind("why")))

    assert len(errors(recording)) == MOST
    assert [one.message.rpartition(": ")[2] for one in warnings_of(recording)] == ["5 others"]


def raising(exc: BaseException) -> Callable[[], None]:
    """Return a function that raises an exception."""

    def function() -> None:
        raise exc

    return function


def test_what_was_logged_and_then_let_go_on_is_a_failure(task: Recording) -> None:
    """It is written again, not as handled, with the frames that it has left since."""

    def engine() -> None:
        try:
            frames_minimum("")
        except AttributeError:
            log.exception("failed")
            raise

    with pytest.raises(AttributeError) as caught, telemetry.stage("generate"):
        engine()
    last = task.recorder.error(caught.value)

    first, second = errors(task)
    assert (first.handled, second.handled) == (True, False)
    assert second == last == task.recorder.error(caught.value)
    assert len(second.chain[0].frames) == len(first.chain[0].frames) + 1
    assert second.context["written_before"] == first.event_id
    assert "caused_by" not in second.context
    assert second.fingerprint == first.fingerprint
    assert task.spans()["stage generate"].status == Status.ERROR


class NothingGenerated(Exception):
    """As the worker's own errors: it has no line of its own to tell."""


def failure(recording: Recording, exc: BaseException) -> dict[str, Any]:
    """Return what is written as the cause of an exception."""
    found: dict[str, Any] = recording.recorder.error(exc).context.get("caused_by", {})
    return found


def failed_after(stage: str, outer: BaseException) -> BaseException:
    """Swallow the incident in a stage, then raise another exception there; return that."""
    with contextlib.suppress(type(outer)), telemetry.stage("generate"):
        with telemetry.span("engine") if stage == "generate" else contextlib.nullcontext():
            swallow(lambda: log.error("failed"))
        if stage == "generate":
            raise outer
    with contextlib.suppress(type(outer)), telemetry.stage(stage):
        raise outer
    return outer


@pytest.mark.parametrize(
    ("stage", "said", "known_by"),
    [
        ("generate", "nothing was generated", "handled before, in the same stage"),
        ("encode", "nothing was generated", None),
        (
            "encode",
            "Generation failed: 'NoneType' object has no attribute 'get'",
            "told by its text",
        ),
    ],
)
def test_a_later_failure_names_the_handled_one_as_its_cause(
    task: Recording, stage: str, said: str, known_by: str | None
) -> None:
    """By its text, or because it went before in the stage; with the true line."""
    found = failure(task, failed_after(stage, NothingGenerated(said)))

    assert found.get("known_by") == known_by
    if known_by:
        [handled] = (error for error in errors(task) if error.handled)
        assert found["event_id"] == handled.event_id
        assert found["type"] == "AttributeError"
        assert found["message"] == "'NoneType' object has no attribute 'get'"
        assert (found["file"], found["line"]) == (__file__, line_of(frames_minimum, 4))
        assert (found["function"], found["place"]) == ("frames_minimum", "raised at")
        assert found["expression"] == "model_def"


def test_the_newest_handled_one_is_the_likeliest_cause(task: Recording) -> None:
    """A repetition is new again."""
    with contextlib.suppress(NothingGenerated), telemetry.stage("generate"):
        for each in (ValueError("first"), KeyError("second"), ValueError("first again")):
            swallow(lambda: log.error("failed"), raising(each))
        raise (outer := NothingGenerated("nothing was generated"))

    assert failure(task, outer)["type"] == "ValueError"


def test_a_chain_says_its_cause_itself(task: Recording) -> None:
    """Better than any guess."""
    outer = NothingGenerated("nothing was generated")
    with contextlib.suppress(NothingGenerated), telemetry.stage("generate"):
        try:
            frames_minimum("")
        except AttributeError as exc:
            log.exception("failed")
            swallow(format_exc, raising(ValueError("meanwhile")))
            raise outer from exc

    found = failure(task, outer)
    assert (found["type"], found["known_by"]) == ("AttributeError", "in its chain")


def test_a_text_finds_what_another_thread_has_in_hand(task: Recording) -> None:
    """The official session works in one thread, and calls back in another."""
    in_hand, told = threading.Event(), threading.Event()

    def engine() -> None:
        try:
            frames_minimum("")
        except AttributeError:
            in_hand.set()
            told.wait(10)

    thread = threading.Thread(target=engine)
    thread.start()
    in_hand.wait(10)
    telemetry.swallowed("'NoneType' object has no attribute 'get'")
    told.set()
    thread.join()

    [error] = errors(task)
    assert (error.function, error.expression) == ("frames_minimum", "model_def")


def test_a_text_finds_what_was_handled_before(task: Recording) -> None:
    """It is not written twice."""
    swallow(lambda: log.error("failed"))
    telemetry.swallowed("Generation failed: 'NoneType' object has no attribute 'get'")

    assert len(errors(task)) == 1


def test_a_text_of_which_nothing_is_found_is_written_as_it_is(task: Recording) -> None:
    """With the line that was told it; then it is a cause as any other."""
    with telemetry.stage("generate") as span:
        telemetry.swallowed("LoRA is missing, key sb_secret_abcdefghijkl")

    [error] = errors(task)
    assert error.message == "LoRA is missing, key sb_secret_[redacted]"
    assert (error.handled, error.place, error.chain) == (True, "reported at", [])
    assert error.file == __file__
    assert (error.span_id, error.stage, error.task_id) == (span.span_id, "generate", "e040ae48")
    with contextlib.suppress(NothingGenerated), telemetry.stage("generate"):
        raise (outer := NothingGenerated("nothing was generated"))
    assert failure(task, outer)["event_id"] == error.event_id


def test_a_text_may_be_said_to_be_told_by_another_line(task: Recording) -> None:
    """Whoever passes it on names the line that told it."""
    with telemetry.stage("generate"):
        telemetry.swallowed("LoRA is missing", at=told_by())

    [error] = errors(task)
    assert (error.line, error.function) == (line_of(told_by, 2), "told_by")


def told_by() -> FrameType:
    """Be the line that tells a text."""
    return sys._getframe()


def test_an_exception_that_was_only_seen_is_behind_a_text_that_names_none(task: Recording) -> None:
    """Where all are watched for; the failure is known by the text, as it was when none were."""
    told = NothingGenerated("the engine reports: Something went wrong")
    with telemetry.stage("generate"):
        telemetry.swallowed("Something went wrong")
        without = task.recorder.error(NothingGenerated(str(told)))
        telemetry.watched(ValueError("nine frames cannot be tiled"))
        watched = task.recorder.error(told)

    assert without.context["caused_by"]["type"] == "Reported"
    assert watched.context["caused_by"]["type"] == "ValueError"
    assert watched.fingerprint == without.fingerprint


def leaves() -> None:
    """End the process, deep in an engine."""
    sys.exit(0)


def test_an_exit_that_an_engine_makes_a_text_of_is_written_with_its_line(task: Recording) -> None:
    """It is no failure to the hooks: whoever caught it has to say so."""
    with telemetry.stage("generate"):
        try:
            leaves()
        except SystemExit as exc:
            format_exc()
            telemetry.swallowed(exc)
        telemetry.swallowed("0")

    [error] = errors(task)
    assert (error.type, error.message, error.handled) == ("SystemExit", "0", True)
    assert (error.function, error.line) == ("leaves", line_of(leaves, 2))
    with contextlib.suppress(NothingGenerated), telemetry.stage("generate"):
        raise (outer := NothingGenerated("the engine reports: 0"))
    found = failure(task, outer)
    assert (found["event_id"], found["known_by"]) == (
        error.event_id,
        "handled before, in the same stage",
    )


def test_an_exit_in_hand_is_found_by_its_text(task: Recording) -> None:
    """As any other, by a callback inside of the block that handles it."""
    try:
        leaves()
    except SystemExit:
        telemetry.swallowed("0")

    assert [error.function for error in errors(task)] == ["leaves"]


def test_a_text_of_one_letter_is_not_taken_for_that_of_an_older_exception(task: Recording) -> None:
    """A number may be anybody's: only what was handled last is likely to be meant."""
    swallow(lambda: log.error("goes on"), raising(KeyError(0)))
    swallow(lambda: log.error("goes on"), raising(ValueError("why")))
    telemetry.swallowed("0")

    assert [error.type for error in errors(task)] == ["KeyError", "ValueError", "Reported"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LoRA 26 of 32 is missing", "LoRA 1 of 4 is missing"),
        ("task e040ae48-1f failed at step 7", "task 77c0 failed at step 12"),
        ("KeyError: 'guidance_phases'", 'KeyError: "flow"'),
        ("Cannot open /models/a.safetensors", "Cannot open /srv/x/b.gguf"),
        ("no such parameter: flow_shift", "no such parameter: sliding_window"),
        ("shapes [1, 2, 3] differ", "shapes [44, 5] differ"),
        ("第3步失败", "第12步失败"),
        ("3", "/a/b"),
    ],
)
def test_texts_of_one_cause_have_one_fingerprint(task: Recording, one: str, other: str) -> None:
    """Whatever number, id, path or parameter they speak of."""
    for text in (one, other):
        telemetry.swallowed(text)

    first, second = errors(task)
    assert first.message != second.message
    assert first.fingerprint == second.fingerprint


def test_texts_of_different_causes_have_their_own_fingerprints(task: Recording) -> None:
    """All of an engine's come through the same callback; another stage is another cause."""
    texts = [
        "LoRA 3 is missing",
        "Out of memory",
        "The model can't be found, don't wait",
        "5",
        "失败",
    ]
    for text in texts:
        telemetry.swallowed(text)
    with telemetry.stage("encode"):
        telemetry.swallowed("LoRA 4 is missing")

    assert len({error.fingerprint for error in errors(task)}) == len(texts) + 1


def wrapped() -> list[str]:
    """Return the names of what stands where the recorder wraps functions."""
    hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    found = [logging.Logger.handle, traceback.TracebackException.__init__, *hooks]
    return [one.__qualname__ for one in found if "Hooks" in getattr(one, "__qualname__", "")]


def test_what_was_wrapped_is_put_back(recording: Recording) -> None:
    """By `close`; what somebody else has wrapped since stays, and does nothing of ours."""
    assert len(wrapped()) == 5
    ours, before = threading.excepthook, recording.recorder.faults
    threading.excepthook = theirs = lambda args: ours(args)  # noqa: PLW0108 - somebody's own
    try:
        recording.recorder.close()
        assert threading.excepthook is theirs
    finally:
        threading.excepthook = threading.__excepthook__

    assert (wrapped(), recording.recorder.faults) == ([], before)


def test_only_a_task_process_is_watched(tmp_path: Path) -> None:
    """A supervisor runs no engine, and has a scope for each of its attempts."""
    level = logging.getLogger().level
    recorder = Recorder.open(tmp_path, role="supervisor")
    recorder.install()
    found = wrapped()
    recorder.close()
    logging.getLogger().setLevel(level)

    assert found == []


def test_a_callback_may_say_what_it_likes_without_a_recorder() -> None:
    """An engine is used in tests and scripts, too."""
    telemetry.swallowed("Error")
    telemetry.swallowed(ValueError("why"))

    assert telemetry.current() is None


class Chatty(Exception):
    """Handles another, and logs, whenever its text is asked for."""

    def __str__(self) -> str:
        swallow(lambda: log.error("asked"), raising(Chatty()))
        return "chatty"


def test_an_exception_that_logs_another_ends(task: Recording) -> None:
    """What is logged while one is written is not written for ever."""
    swallow(lambda: telemetry.swallowed(sys.exc_info()[1] or ""), raising(Chatty()))

    assert [error.type for error in errors(task)] == [f"{__name__}.Chatty"]


def test_a_fault_of_telemetry_is_raised_under_pytest(
    task: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere it is contained and counted: see test_processes."""
    monkeypatch.setattr(task.recorder.writer, "append", None)
    monkeypatch.setattr(log, "propagate", False)
    with pytest.raises(TypeError):
        swallow(lambda: log.error("failed"))
    assert task.recorder.faults > 0
    task.recorder.task_scope = None
    monkeypatch.undo()
