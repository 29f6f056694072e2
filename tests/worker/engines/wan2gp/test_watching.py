"""What is seen of a checkout that is watched: swallowed exceptions, and where it comes back."""

import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.records import Kind
from worker.engines.wan2gp.watching import Watch

from .conftest import Recording

SOURCE = """
import threading


def quiet(value):
    try:
        return 1 // value
    except ZeroDivisionError:
        pass
    return None  # comes back


def through(value):
    return quiet(value)


def elsewhere(value):
    quiet(value)
    return value  # comes back elsewhere


def asked(value):
    return value == 0


def constant(value):
    if asked(value):
        return True  # a constant


def kept(value):
    try:
        return constant(value)
    finally:
        value = 1


def in_thread(value):
    thread = threading.Thread(target=quiet, args=(value,))
    thread.start()
    thread.join()


def loud(value):
    raise ValueError(value)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Any:
    """Import a module that lies in a folder of its own."""
    file = tmp_path / "checkout" / "wgp_watched.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("wgp_watched", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def line(text: str) -> int:
    """Find the line of the source that has a text."""
    return next(n for n, one in enumerate(SOURCE.splitlines(), start=1) if one.endswith(text))


def watched(module: Any, call: Callable[[], Any]) -> Watch:
    """Call under a watch."""
    watch = Watch(Path(module.__file__).parent)
    with watch.block():
        call()
    return watch


def swallowed(recording: Recording) -> list[tuple[str, int]]:
    """Return the exceptions that were written down: type and line."""
    return [(error.type, error.line) for error in recording.bodies(Kind.ERROR)]


def test_what_is_passed_over_is_written_down(checkout: Any, recording: Recording) -> None:
    """With the line that raised it, though nobody spoke of it."""
    with recording.generating():
        watched(checkout, lambda: checkout.quiet(0))
    assert swallowed(recording) == [("ZeroDivisionError", line("return 1 // value"))]


def test_a_thread_is_watched_too(checkout: Any, recording: Recording) -> None:
    """One that the call starts."""
    with recording.generating():
        watched(checkout, lambda: checkout.in_thread(0))
    assert swallowed(recording) == [("ZeroDivisionError", line("return 1 // value"))]


def test_what_leaves_is_left_to_who_catches_it(checkout: Any, recording: Recording) -> None:
    """It is none that was swallowed."""
    with recording.generating(), pytest.raises(ValueError, match="7"):
        watched(checkout, lambda: checkout.loud(7))
    assert swallowed(recording) == []


@pytest.mark.parametrize(
    ("function", "text", "by"),
    [
        ("through", "# comes back", "quiet"),
        ("elsewhere", "# comes back elsewhere", "elsewhere"),
        ("constant", "# a constant", "constant"),
        ("kept", "# a constant", "constant"),
    ],
)
def test_the_line_that_it_comes_back_by_is_known(
    checkout: Any, recording: Recording, function: str, text: str, by: str
) -> None:
    """Of what it returns as it was given, the line that gave it."""
    with recording.generating():
        watch = watched(checkout, lambda: getattr(checkout, function)(0))
    assert watch.came_back == f"{checkout.__file__}:{line(text)} in {by}"


def test_who_traced_before_traces_again(checkout: Any, recording: Recording) -> None:
    """As a debugger does."""

    def other(*_: object) -> None:
        """Trace nothing."""

    before, for_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(other)
    try:
        with recording.generating():
            watched(checkout, lambda: checkout.quiet(1))
        assert sys.gettrace() is other
        assert threading.gettrace() is for_threads
    finally:
        sys.settrace(before)
