"""What the settings say of inputs is what those who fetch them keep to."""

from pathlib import Path

from worker.inputs.policy import InputPolicy
from worker.messages import decode, encode
from worker.settings import Settings
from worker.settings.limits import input_policy


def test_without_allowed_roots_every_local_path_is_allowed(tmp_path: Path) -> None:
    """The local queue's tasks come from this machine."""
    assert input_policy(Settings(home=tmp_path)).local_roots is None


def test_allowed_roots_are_the_only_ones(tmp_path: Path) -> None:
    """And the worker's own outputs are known."""
    policy = input_policy(Settings(home=tmp_path, allowed_roots=(Path("/data"),)))
    assert policy.local_roots == (Path("/data"),)
    assert policy.outputs_dir == tmp_path / "outputs"


def test_limits_are_counted_in_bytes_and_pixels(tmp_path: Path) -> None:
    """The settings say megabytes and megapixels."""
    settings = Settings(
        home=tmp_path, max_picture_mb=1.5, max_picture_megapixels=2.5, max_lora_mb=3.5
    )
    policy = input_policy(settings)
    limits = policy.max_picture_bytes, policy.max_picture_pixels, policy.max_lora_bytes
    assert limits == (1_500_000, 2_500_000, 3_500_000)


def test_no_root_and_no_limit_stay_two_things_on_the_way_to_the_task_process() -> None:
    """Mistaking one for the other would open every file of the machine."""
    for roots in (None, (), (Path("/data"),)):
        policy = InputPolicy(cache_dir=Path("/cache"), local_roots=roots)
        assert decode(encode(policy), InputPolicy) == policy
