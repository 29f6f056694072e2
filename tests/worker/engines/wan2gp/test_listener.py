"""What the engine tells by its callback, and what becomes of it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telemetry import names
from telemetry.records import Kind
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.steps import StepSpans
from worker.errors import TaskCancelled

from .conftest import REQUEST, Recording

HERE = Path(__file__).parent


class Watching:
    """An observer that keeps what it is told, and cancels from one check on."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self.checks = 0
        self._cancel_at = cancel_at

    def check_cancelled(self) -> None:
        """Raise from the check that was said."""
        self.checks += 1
        if self._cancel_at is not None and self.checks >= self._cancel_at:
            raise TaskCancelled("by the test")

    def step(self, index: int, count: int) -> None:
        """Keep the step."""
        self.steps.append((index, count))

    def decoded(self, frames: object) -> None:
        """It encodes its videos itself."""


class Unspeakable:
    """A value of which there is no text."""

    def __str__(self) -> str:
        raise LookupError("no text")

    def __bool__(self) -> bool:
        raise LookupError("no truth")


def listening(
    observer: Watching | None = None, abort: Callable[[], None] = lambda: None
) -> Listener:
    """Make a listener."""
    return Listener(observer or Watching(), StepSpans(REQUEST), abort, root=HERE)


def tell(listener: Listener, command: Any, data: Any = None) -> None:
    """Tell it something, from here."""
    listener.hear(command, data, sys._getframe())


def statuses(recording: Recording) -> list[str]:
    """Return the statuses that spans have been given."""
    return [
        event.attributes[names.ENGINE_STATUS]
        for event in recording.bodies(Kind.SPAN_EVENT)
        if event.name == names.ENGINE_STATUS_EVENT
    ]


@pytest.mark.parametrize(
    "data",
    [
        [(1, 6), "Denoising", 6],
        ((1, 6), "Denoising"),
        [[1, 6], "Denoising", 6],
        [(1.0, 6.0)],
        ([np.int64(1), np.int64(6)], "Denoising"),
    ],
)
def test_a_step_is_told_on(data: Any) -> None:
    """In whatever shape it comes."""
    observer = Watching()
    tell(listening(observer), "progress", data)
    assert observer.steps == [(1, 6)]


def test_a_step_that_is_only_begun_is_not_told_on() -> None:
    """The first is done when it is told as such."""
    observer = Watching()
    tell(listening(observer), "progress", [(0, 6), "Denoising", 6])
    assert observer.steps == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        "text",
        [],
        (),
        {},
        [0, "VAE Decoding"],
        [None],
        [("one", "six"), "text"],
        [(1,), "text"],
        [(1, 2, 3), "text"],
        [(None, 6), "text"],
        [(-1, 6), "text"],
        [(7, 6), "text"],
        [(0, 0), "text"],
        [(float("nan"), 6), "text"],
        [(1, float("inf")), "text"],
        [([], {}), Unspeakable()],
        np.zeros(3),
        Unspeakable(),
        object(),
    ],
)
def test_what_is_no_step_is_no_trouble(data: Any) -> None:
    """Nothing that it tells makes it fail: neither a step nor an error comes of it."""
    observer = Watching()
    listener = listening(observer)
    tell(listener, "progress", data)
    assert (observer.steps, listener.reported) == ([], [])


@pytest.mark.parametrize("command", ["status", "info", "error", "preview", "output", "exit", None])
@pytest.mark.parametrize("data", [None, Unspeakable(), np.zeros(3), b"bytes", ["a"], 0])
def test_no_command_is_any_trouble(command: Any, data: Any) -> None:
    """Whatever comes with it."""
    tell(listening(), command, data)


def test_a_text_that_there_is_not_is_said_by_its_type() -> None:
    """The failure is one all the same."""
    listener = listening()
    tell(listener, "error", Unspeakable())
    assert "Unspeakable" in listener.reported[0].text


def test_a_status_is_recorded_once(recording: Recording) -> None:
    """On the span and in the log, however often it is told; also one that comes with a step."""
    listener = listening()
    with recording.generating():
        for command, data in (
            ("status", " Loading "),
            ("status", "Loading"),
            ("info", "9 frames"),
            ("progress", [(1, 3), "Denoising", 3]),
            ("progress", [(2, 3), "Denoising", 3]),
            ("progress", [0, "VAE Decoding"]),
            ("progress", ["Saving", None]),
            ("status", ""),
            ("preview", "no status"),
        ):
            tell(listener, command, data)
        listener.finish()
    expected = ["Loading", "9 frames", "Denoising", "VAE Decoding", "Saving"]
    assert (statuses(recording), recording.messages()) == (expected, expected)


def test_a_long_status_is_shortened(recording: Recording) -> None:
    """It may be anything."""
    with recording.generating():
        tell(listening(), "status", 5000 * "x")
    assert [len(status) for status in statuses(recording)] == [300]


def test_a_phase_ends_the_step(recording: Recording) -> None:
    """What is decoded then is no step."""
    listener = listening()
    with recording.generating():
        tell(listener, "progress", [(0, 3), "Denoising", 3])
        tell(listener, "progress", [0, "VAE Decoding"])
        assert [span.name for span in recording.spans()] == [names.DENOISE_STEP]


def test_the_last_step_is_the_end_of_the_steps(recording: Recording) -> None:
    """None begins after it."""
    listener = listening()
    with recording.generating():
        for done in range(4):
            tell(listener, "progress", [(done, 3), "Denoising", 3])
        tell(listener, "status", "after")
    steps = [span for span in recording.spans() if span.name == names.DENOISE_STEP]
    assert len(steps) == 3


def test_the_engine_is_asked_once_to_stop() -> None:
    """It may have to finish what it is at; then the next it tells raises."""
    asked: list[str] = []
    listener = listening(Watching(cancel_at=2), lambda: asked.append("stop"))
    tell(listener, "status", "one")
    assert listener.cancelled is None
    tell(listener, "status", "two")
    assert (str(listener.cancelled), asked) == ("by the test", ["stop"])
    with pytest.raises(TaskCancelled):
        tell(listener, "progress", [(1, 3)])
    assert asked == ["stop"]


def test_every_command_is_a_moment_to_cancel_but_an_error() -> None:
    """An error is heard first: it is still in hand."""
    observer = Watching()
    listener = listening(observer)
    for command in ("progress", "status", "preview", "output", "error"):
        tell(listener, command)
    assert observer.checks == 4


def test_our_own_cancel_is_no_failure(recording: Recording) -> None:
    """The engine catches it, as all else, and reports it."""
    listener = listening(Watching(cancel_at=1))
    with recording.generating():
        tell(listener, "status", "one")
        try:
            tell(listener, "status", "two")
        except TaskCancelled as exc:
            tell(listener, "error", str(exc))
    assert listener.reported == []
    assert recording.bodies(Kind.ERROR) == []


def test_an_error_keeps_the_exception_in_hand(recording: Recording) -> None:
    """It is recorded whole, in the step that it ends."""
    listener = listening()
    with recording.generating():
        tell(listener, "progress", [(0, 3), "Denoising", 3])
        try:
            None.get("frames_minimum")  # type: ignore[attr-defined]  # so it is
        except AttributeError as exc:
            kept = exc
            tell(listener, "error", f"it has ended: {exc}")
    [report] = listener.reported
    assert report.exception is kept
    assert report.text == "it has ended: 'NoneType' object has no attribute 'get'"
    [error] = recording.bodies(Kind.ERROR)
    [step] = [span for span in recording.spans() if span.name == names.DENOISE_STEP]
    assert (error.type, error.span_id, error.stage) == ("AttributeError", step.span_id, "generate")
    assert step.status == 2


def test_an_error_without_an_exception_is_a_text(recording: Recording) -> None:
    """It is recorded as that, with the line that told it."""
    listener = listening()
    with recording.generating():
        tell(listener, "error", "something went wrong")
    [report] = listener.reported
    assert (report.text, report.exception) == ("something went wrong", None)
    [error] = recording.bodies(Kind.ERROR)
    assert error.message == "something went wrong"


def test_what_was_in_hand_before_is_none_of_the_engines() -> None:
    """As where a task is tried a second time while its first failure is handled."""
    try:
        raise MemoryError("the first try")  # noqa: TRY301 - to be in hand
    except MemoryError:
        listener = listening()
        tell(listener, "error", "something went wrong")
    assert [report.exception for report in listener.reported] == [None]


def test_all_errors_are_kept_in_order() -> None:
    """The first says most."""
    listener = listening()
    for text in ("first", "second"):
        tell(listener, "error", text)
    assert [report.text for report in listener.reported] == ["first", "second"]


def test_an_entry_that_is_left_ends_its_step(recording: Recording) -> None:
    """As failed where an exception has left it."""
    with recording.generating():
        for exc in (None, ValueError("raw")):
            listener = listening()
            tell(listener, "progress", [(0, 3), "Denoising", 3])
            listener.finish(exc)
    steps = [span for span in recording.spans() if span.name == names.DENOISE_STEP]
    assert [span.status for span in steps] == [0, 2]


def test_what_was_told_last_has_its_place() -> None:
    """In the checkout."""
    listener = listening()
    assert listener.last == ""
    tell(listener, "status", "one")
    assert listener.last.startswith(f"'status' at {__file__}:")


def test_a_place_that_is_not_in_the_checkout_is_none(tmp_path: Path) -> None:
    """It is said so."""
    listener = Listener(Watching(), StepSpans(REQUEST), lambda: None, root=tmp_path)
    tell(listener, "status", "one")
    assert listener.last == "'status' at a place of its own"
