"""The official session, whatever its jobs do: found by looking, waited for, heard."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from worker.engines.wan2gp.api import Said
from worker.engines.wan2gp.arguments import Arguments
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.session import OfficialSession, official
from worker.engines.wan2gp.steps import StepSpans

from .conftest import REQUEST, TRACE, Recording
from .test_functions import Imported, module
from .test_listener import Watching

DONE = SimpleNamespace(generated_files=["a.mp4"], success=True, errors=[])


@dataclass(slots=True)
class Job:
    """A job whose result is there only when it is asked for again."""

    is_done: Any
    waits: int = 1
    raises: Exception | None = None
    asked: list[float] = field(default_factory=list)

    @property
    def done(self) -> Any:
        """Whether it has ended: a truth, or what is to be called for it."""
        return self.is_done

    def result(self, timeout: float) -> Any:
        """Return its result."""
        self.asked.append(timeout)
        if self.raises is not None:
            raise self.raises
        if len(self.asked) <= self.waits:
            raise TimeoutError
        return DONE

    def cancel(self) -> None:
        """Be asked to stop."""


class Session:
    """A session that does this to submit a task."""

    def __init__(self, submit: Callable[[Any], Any]) -> None:
        self._submit = submit

    def submit_task(self, settings: Any, callbacks: Any) -> Any:
        """Submit one."""
        del settings
        return self._submit(callbacks)


@pytest.fixture
def wgp(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Have a checkout's module imported, as a session does."""
    held = module(generate_media=lambda **_: True, wan_model=None)
    monkeypatch.setitem(sys.modules, "wgp", held)
    return held


def opened(root: Path, held: Any, submit: Callable[[Any], Any]) -> OfficialSession:
    """Open a session."""
    checkout = Imported(root=root, config=None, args=(), outputs=root / "videos", module=held)
    return OfficialSession(checkout, SimpleNamespace(init=lambda **_: Session(submit)))


def said_by(root: Path, held: Any, submit: Callable[[Any], Any]) -> Said:
    """Have it generate once."""
    return opened(root, held, submit).generate(
        Arguments(values={}),
        lambda abort: Listener(Watching(), StepSpans(REQUEST), abort, root=root),
    )


@pytest.mark.parametrize("done", [False, lambda: False, True, lambda: True])
def test_a_result_that_comes_late_is_waited_for(tmp_path: Path, wgp: ModuleType, done: Any) -> None:
    """Also where the job ends just after it was waited for, and whether that is told by a call."""
    assert said_by(tmp_path, wgp, lambda _: Job(is_done=done)).files == ("a.mp4",)


def test_a_job_that_is_over_without_a_result_is_not_waited_for(
    tmp_path: Path, wgp: ModuleType
) -> None:
    """That is what it has come to."""
    said = said_by(tmp_path, wgp, lambda _: Job(is_done=True, waits=9))
    assert isinstance(said.escaped, TimeoutError)


def test_what_a_job_raises_says_less_than_what_was_heard(tmp_path: Path, wgp: ModuleType) -> None:
    """The exception that has left the entry is what failed, and its listener is kept."""
    broken = KeyError("a tensor")

    def entry(**_: Any) -> bool:
        raise broken

    def submit(_: Any) -> Job:
        with pytest.raises(KeyError):
            wgp.generate_media(prompt="")
        return Job(is_done=True, raises=RuntimeError("cancelled"))

    wgp.__dict__["generate_media"] = entry
    said = said_by(tmp_path, wgp, submit)
    assert said.escaped is broken
    assert said.listener is not None


def test_what_a_session_raises_is_what_escaped(tmp_path: Path, wgp: ModuleType) -> None:
    """Where nothing else was heard; its entry is its own again."""
    before, refused = wgp.generate_media, RuntimeError("another job is running")

    def submit(_: Any) -> Any:
        raise refused

    assert said_by(tmp_path, wgp, submit).escaped is refused
    assert wgp.generate_media is before


def test_a_module_that_it_has_not_imported_yet_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of the checkout's own functions."""
    monkeypatch.delitem(sys.modules, "wgp", raising=False)
    held = module(generate_media=lambda **_: True)
    assert opened(tmp_path, held, lambda _: Job(is_done=True)).module is held


def test_what_is_printed_outside_of_its_entry_is_the_tasks(
    tmp_path: Path, wgp: ModuleType, recording: Recording
) -> None:
    """Though it is told in another thread."""

    def submit(callbacks: Any) -> Job:
        told = SimpleNamespace(stream="stdout", text="looking at the settings")
        thread = Thread(target=callbacks.on_stream, args=(told,))
        thread.start()
        thread.join(60)
        return Job(is_done=True, waits=0)

    with recording.generating():
        said_by(tmp_path, wgp, submit)
    [line] = recording.lines("wan2gp.stdout")
    assert (line.message, line.trace_id) == ("looking at the settings", TRACE)


@pytest.mark.parametrize(
    ("names", "is_one"), [(("init", "WanGPSession"), True), (("init",), False), ((), False)]
)
def test_a_session_has_both_of_its_names(
    tmp_path: Path, names: tuple[str, ...], *, is_one: bool
) -> None:
    """Another module may lie in its place; the checkout's own functions are called then."""
    held = module(**dict.fromkeys(names, dict))
    (tmp_path / "shared").mkdir()
    checkout = Named(root=tmp_path, config=None, args=(), outputs=tmp_path, module=held)
    assert official(checkout) is None  # it has no file
    (tmp_path / "shared" / "api.py").touch()
    assert official(checkout) is (held if is_one else None)


class Named(Imported):
    """A checkout whose module of any name is at hand."""

    __slots__ = ()

    def find(self, name: str) -> Any:
        """Return the module."""
        assert name == "shared.api"
        return self.module
