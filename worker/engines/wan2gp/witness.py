"""The witness of a generation: stands around the engine's entry, in the thread that runs it."""

import contextvars
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace

import telemetry
from telemetry import names
from worker.engines.wan2gp.hidden import unhidden
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.streams import logged_output
from worker.errors import TaskCancelled

SEND: Final = "send_cmd"
_SEND_AT: Final = 1  # its place among the entry's parameters


class Witness:
    """Calls the entry for whoever calls it, and sees what it tells, prints and raises.

    The entry runs in the context of the task, whatever thread calls it: so its spans, logs and
    errors are the task's. What is raised goes on to the caller, which may make a text of it.

    Args:
        make: Makes a listener; called in the thread that generates.

    Attributes:
        listener: The one that was made last; None where the entry was never called.
        escaped: What has left the entry.
        escaped_before: What has left a function that was to be called before the entry.
    """

    def __init__(self, make: Callable[[], Listener]) -> None:
        self._make = make
        self._context = contextvars.copy_context()
        self._inside = False
        self.listener: Listener | None = None
        self.escaped: BaseException | None = None
        self.escaped_before: BaseException | None = None

    def around(self, entry: Callable[..., Any]) -> Callable[..., Any]:
        """Return what is to be called in an entry's place; its signature is the entry's."""

        @functools.wraps(entry)
        def called(*args: Any, **named: Any) -> Any:
            if self._inside:  # it goes on to another name of itself
                return entry(*args, **named)
            return self._context.run(self._witnessed, entry, list(args), named)

        return called

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what is to be called in the place of a function that comes before the entry."""

        @functools.wraps(function)
        def called(*args: Any, **named: Any) -> Any:
            # A copy: the entry may call it too, and a context cannot be entered twice.
            return self._context.copy().run(self._seen_before, function, args, named)

        return called

    def _seen_before(
        self, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        try:
            with logged_output():
                return function(*args, **named)
        except BaseException as exc:
            self.escaped_before = exc
            telemetry.swallowed(unhidden(exc))
            raise

    def _witnessed(self, entry: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Any:
        before, listener = self.listener, self._make()
        if before is not None:  # called once more, as for each of several prompts
            listener.follow(before)
        self.listener, self._inside = listener, True
        if threading.current_thread() is not threading.main_thread():
            own = f"{threading.get_ident():#018x}"
            trace.get_current_span().set_attribute(names.WORKING_THREAD, own)
        if SEND in named:
            named[SEND] = _heard(named[SEND], listener)
        elif len(args) > _SEND_AT:
            args[_SEND_AT] = _heard(args[_SEND_AT], listener)
        try:
            with logged_output(listener.hear_printed), listener.seeing:
                return entry(*args, **named)
        except BaseException as exc:
            self.escaped = exc
            if not isinstance(exc, TaskCancelled):  # our own, on its way out
                telemetry.swallowed(unhidden(exc))
            listener.finish(exc)
            raise
        finally:
            self._inside = False
            listener.finish()


def _heard(send: Callable[..., Any], listener: Listener) -> Callable[..., Any]:
    """Have the listener hear what is sent, first: while what it tells of is in hand."""

    @functools.wraps(send)
    def heard(*said: Any, **named: Any) -> Any:
        command, data, *_ = *said, *named.values(), None, None
        listener.hear(command, data, sys._getframe(1))  # noqa: SLF001 - the line that sends
        return send(*said, **named)

    return heard
