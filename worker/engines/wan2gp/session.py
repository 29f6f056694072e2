"""A checkout called by its official session, which generates in a thread of its own."""

import contextvars
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

from worker.engines.wan2gp.api import MakeListener, Said, entry_of
from worker.engines.wan2gp.arguments import Arguments
from worker.engines.wan2gp.checkout import (
    ENTRIES,
    MODULE,
    SESSION_MODULE,
    SESSION_NAMES,
    Checkout,
)
from worker.engines.wan2gp.functions import interrupt, take_interrupt
from worker.engines.wan2gp.streams import LOGGER
from worker.engines.wan2gp.witness import SEND, Witness

_FIRST: Final = ("validate_task",)
_LOOK_S: Final = 0.5
_KNOWN_S: Final = 30.0


class OfficialSession:
    """Submits tasks to `shared.api`'s session; see `api.Api`.

    Args:
        checkout: The checkout.
        shared: Its module, as `official` gives it.
    """

    name = "session"

    def __init__(self, checkout: Checkout, shared: Any) -> None:
        with checkout.importing():
            self._session = shared.init(**_taken(shared.init, checkout))
        # One that has waited with it until its first job would import it with another command line.
        self.module = sys.modules.get(MODULE) or checkout.find(MODULE)
        self.entry = entry_of(self.module, checkout.root)
        self.ours: tuple[str, ...] = ("task", SEND, "state", "plugin_data")

    def generate(self, arguments: Arguments, make_listener: MakeListener) -> Said:
        """Submit one task and wait for its end."""
        submitted: Future[Any] = Future()
        witness = Witness(lambda: make_listener(self._abort(submitted)))
        with self._witnessed(witness):
            values = arguments.values.items()
            settings = {name: value for name, value in values if name not in arguments.filled}
            try:
                submitted.set_result(self._session.submit_task(settings, callbacks=_Callbacks()))
                result = _waited(submitted.result())
            except Exception as exc:  # noqa: BLE001 - what was heard before it says more
                escaped = witness.escaped or witness.escaped_before or exc
                return Said(files=(), listener=witness.listener, escaped=escaped)
        errors = list(getattr(result, "errors", ()) or ())
        return Said(
            files=tuple(map(str, result.generated_files or ())),
            listener=witness.listener,
            escaped=witness.escaped or (None if result.success else witness.escaped_before),
            failed="" if result.success else _texts(errors),
            stage=str(getattr(errors[0], "stage", "") or "") if errors else "",
        )

    def leftover_abort(self) -> bool:
        """Look at the model, and at the state that the session keeps from job to job."""
        left = take_interrupt(self.module)
        state = getattr(self._session, "_state", None)
        gen = state.get("gen") if isinstance(state, dict) else None
        if isinstance(gen, dict) and gen.get("abort"):
            gen["abort"], left = False, True
        return left

    def _abort(self, submitted: "Future[Any]") -> Callable[[], None]:
        def abort() -> None:
            submitted.result(_KNOWN_S).cancel()
            interrupt(self.module)

        return abort

    @contextmanager
    def _witnessed(self, witness: Witness) -> Iterator[None]:
        """Have the session call the witness for the entry, by whatever name it calls that.

        And for what it calls first: it makes a text of whatever that raises, too.
        """
        known = vars(self.module)
        before = {name: known[name] for name in (*ENTRIES, *_FIRST) if name in known}
        for name, function in before.items():
            around = witness.before if name in _FIRST else witness.around
            setattr(self.module, name, around(function))
        try:
            yield
        finally:
            for name, function in before.items():
                setattr(self.module, name, function)


def official(checkout: Checkout) -> Any | None:
    """Import the module of a checkout's official session; None where there is none."""
    if not checkout.has_session:
        return None
    shared = checkout.find(SESSION_MODULE)
    return shared if all(callable(getattr(shared, name, None)) for name in SESSION_NAMES) else None


class _Callbacks:
    """What the session calls from its other thread: of it, only what is printed is news here."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()

    def on_stream(self, message: Any) -> None:
        """Log a line that was printed before the entry was called, or after, as the task does."""
        log = logging.getLogger(f"{LOGGER}.{message.stream}")
        self._context.copy().run(log.info, "%s", message.text)


def _waited(job: Any) -> Any:
    """Wait for a job's result, for as long as it takes: the supervisor sees one that hangs."""
    while True:
        try:
            return job.result(timeout=_LOOK_S)
        except TimeoutError:
            done = job.done
            if done() if callable(done) else done:
                # It may have ended since; if not, that is what it has to say.
                return job.result(timeout=_LOOK_S)


def _texts(errors: list[Any]) -> str:
    said = (str(getattr(one, "message", one)) for one in errors)
    return "; ".join(text for text in said if text) or "a failure, without a word"


def _taken(init: Callable[..., Any], checkout: Checkout) -> dict[str, Any]:
    """Return what its `init` takes of what there is to say."""
    said = {
        "root": checkout.root,
        # Its own is where it knows to look, and to make one.
        **({"config_path": checkout.config_file} if checkout.config is not None else {}),
        "output_dir": checkout.outputs,
        "cli_args": checkout.args,
        "callbacks": None,  # each job has its own
        "console_output": False,  # it is logged
        "console_isatty": False,
    }
    known = inspect.signature(init).parameters
    is_open = any(one.kind is one.VAR_KEYWORD for one in known.values())
    return {name: value for name, value in said.items() if is_open or name in known}
