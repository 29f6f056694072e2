"""Which inputs of a task are here is known before it runs."""

import secrets
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from worker.engines.catalog import Catalog
from worker.inputs.fetch import cache_path
from worker.inputs.policy import InputPolicy
from worker.replay.claims import claimed_of_queue
from worker.replay.inputs import InputSeen, Surroundings, inputs_of
from worker.store.local import LocalStore
from worker.task import NewTask

URL = "https://a.b/c.png?token=planted"


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    """Say where inputs lie."""
    policy = InputPolicy(cache_dir=tmp_path / "cache", offline=True)
    policy.cache_dir.mkdir()
    return Surroundings(models=Catalog.load, policy=policy, unknown_params="pass")


def inputs(tmp_path: Path, around: Surroundings, task_type: str, **params: Any) -> list[InputSeen]:
    """Look for the inputs of a task."""
    store = LocalStore(tmp_path / f"{secrets.token_hex(4)}.db")
    try:
        (task,) = store.insert([NewTask(id=uuid4(), task_type=task_type, params=params)])
        return inputs_of(claimed_of_queue(store, task).claim, around)
    finally:
        store.close()


def i2v(**params: Any) -> dict[str, Any]:
    """Make the params of a generation from a picture."""
    return {"model_name": "tiny_i2v", "prompt": "a lake", **params}


def test_a_picture_that_is_kept_is_here(tmp_path: Path, around: Surroundings) -> None:
    """Its URL is shown without the token in its query."""
    cache_path(URL, around.policy).write_bytes(b"a picture")
    (found,) = inputs(tmp_path, around, "i2v", **i2v(image=URL))
    assert found == InputSeen(kind="picture", source="https://a.b/c.png?…", why_not="")


def test_what_is_not_kept_is_named(tmp_path: Path, around: Surroundings) -> None:
    """All of it, and not only what the task would have met first."""
    lora = str(tmp_path / "style.safetensors")
    found = inputs(
        tmp_path,
        around,
        "i2v",
        **i2v(image=URL, activated_loras=[lora], loras_multipliers="1"),
    )
    assert [(one.kind, one.why_not) for one in found] == [
        ("picture", "is not kept in the cache"),
        ("LoRA", "there is no such file"),
    ]


def test_a_payload_that_cannot_be_read_names_none(tmp_path: Path, around: Surroundings) -> None:
    """It may be what the task failed of."""
    assert inputs(tmp_path, around, "i2v", model_name="", image=URL) == []
