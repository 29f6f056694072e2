"""RunPod's template. Nothing of RunPod is here: it is held against loop26 and the image."""

import shlex

from tests.deploy.files import compose_file, image, runpod_template
from worker.composition import SHIP_AT_EXIT_S
from worker.supervisor.keeper import EXIT_WAIT_S

# Of RunPod's request that makes a template.
FIELDS = {
    "category",
    "containerDiskInGb",
    "containerRegistryAuthId",
    "dockerEntrypoint",
    "dockerStartCmd",
    "env",
    "imageName",
    "isPublic",
    "isServerless",
    "name",
    "ports",
    "readme",
    "volumeInGb",
    "volumeMountPath",
}
SPOT_S = 5  # between SIGTERM and SIGKILL


def test_it_has_fields_that_runpod_knows() -> None:
    """A typing error would be passed over."""
    assert set(runpod_template()) <= FIELDS


def test_a_worker_keeps_all_on_the_volume() -> None:
    """Its home by the pod, so that two pods of one network volume have two; and fetched weights."""
    template = runpod_template()
    volume = template["volumeMountPath"]
    [script] = template["dockerStartCmd"]
    command = shlex.split(script)
    assert command[:3] == ["exec", "loop26", "--home"]
    assert command[3:] == [f"{volume}/loop26-$RUNPOD_POD_ID", "run"]
    for name in ("HF_HOME", "XDG_CACHE_HOME"):
        assert template["env"][name].startswith(f"{volume}/")
        assert name in image("ENV")


def test_the_signal_reaches_the_supervisor() -> None:
    """From the init, through a shell that becomes the supervisor."""
    assert runpod_template()["dockerEntrypoint"] == ["tini", "--", "bash", "-c"]
    assert runpod_template()["dockerStartCmd"][0].startswith("exec ")


def test_a_task_is_given_back_before_a_spot_pod_is_killed() -> None:
    """There is no time to finish it."""
    grace_s = float(runpod_template()["env"]["LOOP26_GRACE_S"])
    assert grace_s + EXIT_WAIT_S + SHIP_AT_EXIT_S <= SPOT_S


def test_nobody_reaches_a_pod_and_nobody_else_has_the_template() -> None:
    """It has no port, and is private."""
    template = runpod_template()
    assert template["ports"] == []
    assert template["isPublic"] is False
    assert (
        template["env"]["LOOP26_DEVICE"]
        == (compose_file()["services"]["worker"]["environment"]["LOOP26_DEVICE"])
    )
