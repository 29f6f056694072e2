"""A checkout's module, called by its own functions: what it is given, and what is kept of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from worker.engines.wan2gp.api import Said
from worker.engines.wan2gp.arguments import Arguments
from worker.engines.wan2gp.checkout import Checkout
from worker.engines.wan2gp.functions import (
    ModuleFunctions,
    fresh_state,
    interrupt,
    take_interrupt,
)
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.steps import StepSpans

from .conftest import REQUEST
from .test_listener import Watching

VALUES = {"prompt": "a lake", "model_type": "lake"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported(Checkout):
    """A checkout whose module is at hand."""

    module: Any

    def find(self, name: str) -> Any:
        """Return the module."""
        assert name == "wgp"
        return self.module


def module(**held: Any) -> ModuleType:
    """Make a module that holds these."""
    made = ModuleType("wgp")
    vars(made).update(held)
    return made


def opened(root: Path, held: ModuleType) -> ModuleFunctions:
    """Be ready to call a module."""
    return ModuleFunctions(
        Imported(root=root, config=None, args=(), outputs=root / "videos", module=held)
    )


def said_by(root: Path, entry: Callable[..., Any], observer: Watching | None = None) -> Said:
    """Call an entry once."""
    api = opened(root, module(generate_video=entry, wan_model=None))
    return api.generate(
        Arguments(values=VALUES),
        lambda abort: Listener(observer or Watching(), StepSpans(REQUEST), abort, root=root),
    )


def test_it_is_given_all_that_it_needs(tmp_path: Path) -> None:
    """And nothing that it has not."""
    given: dict[str, Any] = {}

    def entry(task: Any, send_cmd: Any, prompt: str, model_type: str, state: Any) -> None:
        given.update(task=task, prompt=prompt, model_type=model_type, state=state)
        assert send_cmd("status", "text") is None
        assert send_cmd("output") is None

    assert said_by(tmp_path, entry).escaped is None
    assert (given["prompt"], given["task"]["prompt"]) == ("a lake", "a lake")
    assert given["state"]["model_type"] == "lake"


def test_what_only_newer_ones_have_is_given_to_them(tmp_path: Path) -> None:
    """Also to one that takes anything."""
    given: list[Any] = []

    def named(task: Any, send_cmd: Any, plugin_data: Any = None, **others: Any) -> None:
        del task, send_cmd
        given.append((plugin_data, sorted(others)))

    said_by(tmp_path, named)
    assert given == [({}, ["model_type", "prompt", "state"])]


def test_the_state_has_what_an_entry_looks_up() -> None:
    """Without asking; each is another."""
    needed = (
        *("prompt_no", "prompts_max", "repeat_no", "total_generation", "window_no"),
        *("total_windows", "progress_status", "process_status", "file_list", "queue", "selected"),
        *("file_settings_list", "audio_file_list", "audio_file_settings_list"),
    )
    state = fresh_state("lake")
    assert set(needed) <= set(state["gen"])
    state["gen"]["file_list"].append("a.mp4")
    assert fresh_state("lake")["gen"]["file_list"] == []


def test_what_it_has_made_is_named(tmp_path: Path) -> None:
    """As texts, in order, also where it failed afterwards; the failure is kept, and not raised."""

    def entry(task: Any, send_cmd: Any, prompt: str, model_type: str, state: Any) -> None:
        del task, send_cmd, prompt, model_type
        state["gen"]["file_list"] += [Path("a.mp4"), "b.mp4"]
        raise SystemExit(0)

    said = said_by(tmp_path, entry)
    assert said.files == ("a.mp4", "b.mp4")
    assert isinstance(said.escaped, SystemExit)
    assert said.listener is not None


def test_it_is_asked_to_stop_as_it_wants_to_be(tmp_path: Path) -> None:
    """By the flag in its state, and by its model's."""
    flags: list[Any] = []
    model = SimpleNamespace(_interrupt=False)

    def entry(task: Any, send_cmd: Any, state: Any, **others: Any) -> None:
        del task, others
        flags.append((state["gen"]["abort"], model._interrupt))
        send_cmd("status", "text")
        flags.append((state["gen"]["abort"], model._interrupt))

    api = opened(tmp_path, module(generate_video=entry, wan_model=model))
    api.generate(
        Arguments(values={}),
        lambda abort: Listener(Watching(cancel_at=1), StepSpans(REQUEST), abort, root=tmp_path),
    )
    assert flags == [(False, False), (True, True)]
    assert (api.leftover_abort(), api.leftover_abort()) == (True, False)


@pytest.mark.parametrize("held", [SimpleNamespace(), SimpleNamespace(wan_model=None)])
def test_where_no_model_is_loaded_none_is_asked(held: Any) -> None:
    """And none has a wish to stop."""
    interrupt(held)
    assert not take_interrupt(held)


def test_a_model_that_knows_no_such_wish_has_none() -> None:
    """Nothing is added to it."""
    model = SimpleNamespace()
    assert not take_interrupt(SimpleNamespace(wan_model=model))
    assert vars(model) == {}


def test_it_writes_where_it_is_told(tmp_path: Path) -> None:
    """Wherever it keeps that; nothing is added to what it keeps."""

    def entry(task: Any, send_cmd: Any) -> None: ...

    held = module(
        generate_video=entry,
        server_config={"save_path": "outputs", "image_save_path": "outputs", "other": 1},
        save_path="outputs",
        audio_save_path="outputs",
    )
    opened(tmp_path, held)
    folder = str(tmp_path / "videos")
    assert held.server_config == {"save_path": folder, "image_save_path": folder, "other": 1}
    assert (held.save_path, held.audio_save_path) == (folder, folder)
    assert not hasattr(held, "image_save_path")
