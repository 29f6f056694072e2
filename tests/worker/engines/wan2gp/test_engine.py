"""The engine's own part, on a checkout of a few lines: the rest is in the contract suite."""

import dataclasses
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry import Recorder
from telemetry.recorder.hidden_prompts import PROMPT_HIDDEN, show_again
from worker.engines.base import Inputs
from worker.engines.wan2gp.engine import Wan2gpEngine
from worker.engines.wan2gp.errors import NoOutput

from .conftest import REQUEST, TRACE, asking
from .test_listener import Watching

SOURCE = """
server_config, primary_settings, wan_model, held = {}, {}, None, []

class Latents:
    \"\"\"What takes the device's memory.\"\"\"

def get_model_def(model_type):
    return {"name": model_type}

def get_default_settings(model_type):
    return {"seed": -1}
"""
FAILS = """
def generate_video(task, send_cmd, state):
    latents = Latents()
    held.append(latents)
    raise ValueError("shapes differ")
"""
TALKS = """
def generate_video(task, send_cmd, state, prompt, alt_prompt):
    send_cmd("status", f"encoding {prompt}")
    send_cmd("info", alt_prompt)
    try:
        raise ValueError(f"too long: {prompt!r}")
    except ValueError as error:
        print(error)
    print(f"that was: {prompt}")
"""
PROMPT, OTHER = "an otter by the river\nat dawn it dives", "a heron that waits"
Open = Callable[[str], Wan2gpEngine]


@pytest.fixture
def driving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Drive a checkout that has this entry."""

    def driven(entry: str) -> Wan2gpEngine:
        root = tmp_path / "checkout"
        root.mkdir()
        (root / "wgp.py").write_text(SOURCE + entry)
        return Wan2gpEngine(
            checkout=str(root), config="", args=[], outputs=str(tmp_path / "videos")
        )

    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "wgp", raising=False)
    yield driven
    sys.modules.pop("wgp", None)


def test_what_a_failure_has_held_is_freed_before_the_next_task(driving: Open) -> None:
    """Its exception and its frames hold each other, and with them what takes the memory."""
    engine = driving(FAILS)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ValueError, match="shapes differ"):
            engine.generate(REQUEST, Inputs(), Watching())
        latents = weakref.ref(sys.modules["wgp"].held.pop())
        assert latents() is not None
        engine.model_def(REQUEST.model)
        assert latents() is None
    finally:
        gc.enable()


def test_a_prompt_is_nowhere_in_the_record_where_none_is_to_be(
    driving: Open, tmp_path: Path
) -> None:
    """Whatever the checkout says of it: in its status, its output, its exceptions, what failed."""
    engine = driving(TALKS)
    recorder = Recorder.open(tmp_path / "spool", role="task", record_prompts=False)
    recorder.install()
    request = asking(prompt=PROMPT, alt_prompt=OTHER)
    try:
        task = recorder.task(task_id="1", attempt=1, task_type="t2v", trace_id=TRACE, worker_id="w")
        with (
            task,
            recorder.span("process", trace_id=TRACE),
            recorder.stage("generate"),
            pytest.raises(NoOutput) as caught,
        ):
            engine.generate(dataclasses.replace(request, prompt=PROMPT), Inputs(), Watching())
        message = recorder.error(caught.value).message
    finally:
        recorder.close()
        show_again()
    assert "was 'at dawn it dives'" in str(caught.value)
    assert f"was '{PROMPT_HIDDEN}'" in message
    written = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*.journal"))
    assert written.count(PROMPT_HIDDEN.encode()) > 0
    assert [part for part in (b"otter", b"dawn", b"heron") if part in written] == []
