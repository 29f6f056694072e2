"""Files that a task names to its engine in parameters of the engine's own."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from worker.errors import InputError
from worker.handlers.named_files import check_named_files
from worker.inputs.policy import InputPolicy
from worker.params.frozen import freeze
from worker.params.request import GenerationRequest, ParamValue, Schedule


def request(source: str = "task", **params: Any) -> GenerationRequest:
    """Make a request with parameters that only its engine knows."""
    schedule = Schedule(
        solver="euler", shift=5.0, steps=(), sigmas=(0.0,),
        switch_threshold=None, switch_threshold2=None,
    )  # fmt: skip
    values = {
        name: ParamValue(name=name, value=freeze(value), asked=value, source=source)
        for name, value in params.items()
    }
    return GenerationRequest(
        engine="wan2gp", model="m", prompt="", negative_prompt="", width=64, height=48, frames=9,
        fps=16.0, seed=1, schedule=schedule, params=MappingProxyType(values),
    )  # fmt: skip


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """Give a folder that inputs may lie in."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    return folder


@pytest.fixture
def policy(tmp_path: Path, allowed: Path) -> InputPolicy:
    """Allow that folder alone."""
    return InputPolicy(cache_dir=tmp_path / "cache", local_roots=(allowed,))


@pytest.mark.parametrize(
    "value",
    [
        "/etc/passwd",
        ["/etc/passwd"],
        {"of": "/etc/passwd"},
        "../../etc/passwd",
        "~/.ssh/id_ed25519",
        "file:///etc/passwd",
    ],
)
def test_a_file_outside_is_refused_by_the_parameters_name(value: Any, policy: InputPolicy) -> None:
    """In whatever form it is named."""
    with pytest.raises(InputError) as refused:
        check_named_files(request(video_guide=value), policy)
    assert refused.value.field == "video_guide"


def test_a_file_that_is_allowed_passes(allowed: Path, policy: InputPolicy) -> None:
    """It is there, and where inputs may be."""
    guide = allowed / "guide.mp4"
    guide.write_bytes(b"a video")
    check_named_files(request(video_guide=str(guide)), policy)


@pytest.mark.parametrize("value", ["KI", "", "a lake/at dawn", "loras/own.safetensors", 3, "/"])
def test_what_stays_in_the_engines_folder_passes(value: Any, policy: InputPolicy) -> None:
    """Choices and names are no files of others."""
    check_named_files(request(video_prompt_type=value), policy)


def test_the_operators_own_values_pass(policy: InputPolicy) -> None:
    """A model's defaults are as trusted as the model."""
    check_named_files(request(source="model", video_guide="/etc/passwd"), policy)


def test_a_prompt_is_no_file(policy: InputPolicy) -> None:
    """Whatever it begins with."""
    check_named_files(request(prompt="/imagine a lake"), policy)


def test_nothing_is_refused_where_all_is_allowed(tmp_path: Path) -> None:
    """A queue whose tasks come from this machine alone."""
    policy = InputPolicy(cache_dir=tmp_path)
    check_named_files(request(video_guide="/etc/passwd"), policy)
