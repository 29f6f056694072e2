"""Which function of a checkout generates."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from worker.engines.wan2gp.api import entry_of
from worker.engines.wan2gp.errors import CheckoutUnusable


def module(**held: Any) -> ModuleType:
    """Make a module that holds these."""
    made = ModuleType("wgp")
    vars(made).update(held)
    return made


def older(task: Any, send_cmd: Any, prompt: str) -> None:
    """Be the entry of an older checkout."""


def newer(task: Any, send_cmd: Any, prompt: str, plugin_data: Any = None) -> None:
    """Be the entry of a newer one."""


def test_the_newest_name_is_taken(tmp_path: Path) -> None:
    """An older one may be there still, for who calls it."""
    found = entry_of(module(generate_video=older, generate_media=newer), tmp_path)
    assert (found.name, found.taken) == (
        "generate_media",
        ("task", "send_cmd", "prompt", "plugin_data"),
    )


def test_an_older_checkout_has_the_older_name(tmp_path: Path) -> None:
    """Something else may have the newer one."""
    found = entry_of(module(generate_video=older, generate_media="no function"), tmp_path)
    assert found.name == "generate_video"


def test_a_checkout_without_one_cannot_be_used(tmp_path: Path) -> None:
    """What was looked for is named."""
    with pytest.raises(CheckoutUnusable, match="generate_media, generate_video") as caught:
        entry_of(module(), tmp_path)
    assert caught.value.root == tmp_path
