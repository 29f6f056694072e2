"""The engine's own part, on a checkout of a few lines: the rest is in the contract suite."""

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.engines.base import Inputs
from worker.engines.wan2gp.engine import Wan2gpEngine

from .conftest import REQUEST
from .test_listener import Watching

SOURCE = '''
server_config, primary_settings, wan_model, held = {}, {}, None, []

class Latents:
    """What takes the device's memory."""

def get_model_def(model_type):
    return {"name": model_type}

def get_default_settings(model_type):
    return {"seed": -1}

def generate_video(task, send_cmd, state):
    latents = Latents()
    held.append(latents)
    raise ValueError("shapes differ")
'''


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wan2gpEngine]:
    """Drive a checkout whose call always fails."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "wgp.py").write_text(SOURCE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "wgp", raising=False)
    yield Wan2gpEngine(checkout=str(root), config="", args=[], outputs=str(tmp_path / "videos"))
    sys.modules.pop("wgp", None)


def test_what_a_failure_has_held_is_freed_before_the_next_task(engine: Wan2gpEngine) -> None:
    """Its exception and its frames hold each other, and with them what takes the memory."""
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
