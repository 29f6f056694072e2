"""What came of calls into each checkout: one process a kind makes them all."""

from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image

from tests.standins.calling import SETTINGS, TOGETHER, Came, called
from tests.standins.checkouts import KINDS, Checkout, Kind, make_checkout
from tests.standins.faults import FAULTS
from tests.standins.fixtures import standin_python

__all__ = ["standin_python"]

# Whatever fails while a model is loaded needs one that is not.
MODELS: Mapping[str, str] = {"load": "t2v_standin", "none-at-dtype": "two_expert_standin"}


@pytest.fixture(scope="session", params=KINDS)
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Make a checkout of each kind."""
    kind: Kind = request.param
    return make_checkout(kind, tmp_path_factory.mktemp(kind) / "checkout")


@pytest.fixture(scope="session")
def came(standin_python: Any, checkout: Checkout) -> Mapping[str, Came]:
    """Make calls that are well, then one with each fault; return what came of them by name."""
    calls = {**_well(checkout), **_broken(), "afterwards": {"settings": SETTINGS}}
    done, answers = called(standin_python, checkout, list(calls.values()))
    assert done.returncode == 0, done.stderr
    return dict(zip(calls, answers, strict=True))


def _well(checkout: Checkout) -> dict[str, dict[str, Any]]:
    beside = checkout.root.parent
    lora = beside / "style.safetensors"
    lora.write_bytes(b"")
    pictures = {"image_start": str(beside / "red.png"), "image_end": str(beside / "blue.png")}
    for path, colour in zip(pictures.values(), ("red", "blue"), strict=True):
        Image.new("RGB", (64, 48), colour).save(path)
    changed: dict[str, dict[str, Any]] = {
        "well": {},
        "again": {},
        "another seed": {"seed": 6},
        "a path": {"activated_loras": [str(lora)]},
        "text": {"model_type": "t2v_standin"},
        "larger": {"resolution": "97x80", "video_length": 15},
        "unknown": {"model_type": "nothing"},
        "pictures": {},
    }
    calls: dict[str, dict[str, Any]] = {
        name: {"settings": {**SETTINGS, **values}} for name, values in changed.items()
    }
    calls["pictures"]["pictures"] = pictures
    return calls


def _broken() -> dict[str, dict[str, Any]]:
    """Ask for each fault; what leaves something comes last, what stops the next call at the end."""
    names = sorted(
        TOGETHER, key=lambda name: (FAULTS[name].ends == "leaves", name == "leaves-abort-flag")
    )
    return {
        name: {
            "settings": {**SETTINGS, "model_type": MODELS.get(name, "i2v_standin")},
            "fault": name,
        }
        for name in names
    }
