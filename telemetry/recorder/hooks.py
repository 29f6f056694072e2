"""Where an exception shows that somebody swallows: in a log, a printed traceback, a dying thread.

Python 3.11 tells nobody that an exception is handled. But who handles one mostly says so, by one
of a few functions of the standard library, while it is still in hand. These are wrapped while the
recorder is installed. What costs something happens when an exception is there, and only then.
"""

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

_WARNING: Final = logging.WARNING
_Function = Callable[..., Any]


class Hooks:
    """Wraps those functions for one recorder; each wrapper does what it wraps, whatever happens."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder
        self._wrapped: list[tuple[Any, str, _Function, _Function]] = []
        self._removed = False

    def install(self) -> None:
        """Wrap them."""
        self._wrap(logging.Logger, "handle", self._logging)
        # All of the module's functions make one of these, whatever name they were imported under.
        self._wrap(traceback.TracebackException, "__init__", self._formatting)
        self._wrap(warnings, "showwarning", self._warning)
        self._wrap(sys, "excepthook", self._exit)
        self._wrap(sys, "unraisablehook", self._unraisable)
        self._wrap(threading, "excepthook", self._thread)

    def remove(self) -> None:
        """Put back what was there; where somebody else has wrapped us, do nothing from now on."""
        self._removed = True
        for owner, name, ours, theirs in reversed(self._wrapped):
            if vars(owner).get(name) is ours:
                setattr(owner, name, theirs)
        self._wrapped.clear()

    def _wrap(self, owner: Any, name: str, wrapper: Callable[[_Function], _Function]) -> None:
        theirs = getattr(owner, name)
        ours = wrapper(theirs)
        setattr(owner, name, ours)
        self._wrapped.append((owner, name, ours, theirs))

    def _seen(self, exc: Any, found: str, *, escaped: bool = False) -> None:
        # What is no Exception is control flow, and nobody's failure.
        if issubclass(type(exc), Exception) and not self._removed:
            self._recorder.errors.handled(exc, found, escaped=escaped)

    def _logging(self, theirs: _Function) -> _Function:
        def handle(logger: logging.Logger, record: logging.LogRecord) -> Any:
            try:
                if record.exc_info:
                    self._seen(record.exc_info[1], "log")
                elif record.levelno >= _WARNING and (exc := sys.exc_info()[1]) is not None:
                    self._seen(exc, "log")
            except Exception as fault:  # noqa: BLE001 - telemetry never raises into a task
                self._recorder.guard.contain(fault)
            return theirs(logger, record)

        return handle

    def _formatting(self, theirs: _Function) -> _Function:
        def init(self_: Any, *args: Any, **options: Any) -> None:
            theirs(self_, *args, **options)
            if options.get("_seen") is None:  # else it is one behind another
                with self._recorder.guard:
                    self._seen(args[1] if len(args) > 1 else options.get("exc_value"), "traceback")

        return init

    def _warning(self, theirs: _Function) -> _Function:
        def showwarning(*args: Any, **options: Any) -> None:
            self._seen(sys.exc_info()[1], "warning")
            theirs(*args, **options)

        return showwarning

    def _exit(self, theirs: _Function) -> _Function:
        def excepthook(kind: Any, exc: Any, trace: Any) -> None:
            self._seen(exc, "exit", escaped=True)
            theirs(kind, exc, trace)

        return excepthook

    def _unraisable(self, theirs: _Function) -> _Function:
        def unraisablehook(unraisable: Any) -> None:
            self._seen(unraisable.exc_value, "unraisable")
            theirs(unraisable)

        return unraisablehook

    def _thread(self, theirs: _Function) -> _Function:
        def excepthook(args: Any) -> None:
            self._seen(args.exc_value, "thread")
            theirs(args)

        return excepthook
