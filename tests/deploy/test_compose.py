"""docker-compose.yml: what Compose itself makes of it, with every profile."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import Composed
from tests.deploy.files import compose_file, image, last_stage, variables
from tests.servers.cache import ROOT
from worker import errors
from worker.composition import SHIP_AT_EXIT_S
from worker.settings import Settings
from worker.supervisor.keeper import EXIT_WAIT_S, KILL_WAIT_S

ALWAYS = {"collector", "jaeger", "owners"}
OF_PROFILE = {
    "gpu": {"worker"},
    "cpu": {"worker-cpu"},
    "bugsink": {"bugsink"},
    "queue": {"postgres", "migrate", "login", "postgrest"},
    "operator": {"operator"},
}
WORKERS = ("worker", "worker-cpu")
# They do one thing and end; `operator` is run by hand.
ONCE = {"owners", "migrate", "login", "operator"}


@pytest.fixture
def services(composed: Composed) -> dict[str, Any]:
    """Every service, as Compose understands it."""
    return dict(composed(*OF_PROFILE)["services"])


@pytest.mark.parametrize(
    "profiles", [(), *((profile,) for profile in OF_PROFILE), tuple(OF_PROFILE)], ids="+".join
)
def test_compose_takes_it(composed: Composed, profiles: tuple[str, ...]) -> None:
    """With each profile alone and with all, without a word, and without any variable set."""
    expected = ALWAYS.union(*(OF_PROFILE[profile] for profile in profiles))
    assert set(composed(*profiles)["services"]) == expected


def test_the_example_of_an_environment_starts_a_worker_on_a_gpu(composed: Composed) -> None:
    """As it is: copied, nothing filled in."""
    assert set(composed(env_file=".env.example")["services"]) == ALWAYS | {"worker"}


def test_only_the_worker_on_a_gpu_asks_for_one(services: dict[str, Any]) -> None:
    """By its id, and for the part of the driver that NVML needs, too."""
    asked = {
        name: service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices")
        for name, service in services.items()
    }
    [device] = asked.pop("worker")
    assert device["driver"] == "nvidia"
    assert device["device_ids"] == ["0"]
    assert {"gpu", "utility"} <= set(device["capabilities"])
    assert set(asked.values()) == {None}


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_started_again_by_what_its_exit_code_says(
    services: dict[str, Any], name: str
) -> None:
    """As docs/operating.md has it: what is not to be started again is 0, or becomes it."""
    entrypoint = services[name]["entrypoint"]
    assert services[name]["restart"] == "on-failure"
    assert entrypoint[0] == "tini"
    assert entrypoint[-2:] == ["--", "loop26"]
    stay_stopped = {0, *map(int, re.findall(r"-e (\d+)", " ".join(entrypoint)))}

    codes = {value for key, value in vars(errors).items() if key.startswith("EXIT_")}
    table = dict(
        re.findall(
            r"^\| (\d+) \| .* \| (.*) \|$", (ROOT / "docs/operating.md").read_text(), re.MULTILINE
        )
    )
    for code in codes:
        again = table[str(code)].startswith(("start it again", "report"))
        assert (code not in stay_stopped) is again, (code, table[str(code)])
    assert stay_stopped <= codes


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_told_what_to_do(services: dict[str, Any], name: str) -> None:
    """As the image tells it, whose command is none where the entry point is another."""
    assert services[name]["entrypoint"] != json.loads(image("ENTRYPOINT"))
    assert services[name]["command"] == json.loads(image("CMD"))


def test_servers_are_started_again_and_what_is_done_once_is_not(services: dict[str, Any]) -> None:
    """Until somebody stops them."""
    policies = {name: service.get("restart", "no") for name, service in services.items()}
    expected = {
        name: "no" if name in ONCE else "on-failure" if name in WORKERS else "unless-stopped"
        for name in services
    }
    assert policies == expected


@pytest.mark.parametrize("name", WORKERS)
def test_docker_waits_for_longer_than_a_worker_takes_to_end(
    services: dict[str, Any], name: str
) -> None:
    """Its grace, a task process that has to be killed, and the last shipping."""
    grace_s = float(services[name]["environment"]["LOOP26_GRACE_S"])
    assert grace_s == Settings.model_fields["grace_s"].default
    needed_s = grace_s + EXIT_WAIT_S + KILL_WAIT_S + SHIP_AT_EXIT_S
    assert seconds(services[name]["stop_grace_period"]) > needed_s


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    """Nobody else's machine reaches one, whatever its firewall says."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) >= 6
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_no_service_can_gain_rights(services: dict[str, Any]) -> None:
    """None has capabilities but who needs them to hand a folder over, or to leave root."""
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
    kept = {name: set(service.get("cap_add", [])) for name, service in services.items()}
    assert {name: caps for name, caps in kept.items() if caps} == {
        "owners": {"CHOWN"},
        "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
    }


def test_root_file_systems_are_read_only_where_they_can_be(services: dict[str, Any]) -> None:
    """Bugsink's image keeps a queue of its own in one."""
    writable = {name for name, service in services.items() if not service.get("read_only")}
    assert writable == {"bugsink"}


def test_what_runs_for_long_has_limits_and_little_log(services: dict[str, Any]) -> None:
    """Of memory and of processes."""
    for name, service in services.items():
        assert service["logging"]["options"]["max-size"]
        if name not in ONCE:
            limits = service["deploy"]["resources"]["limits"]
            assert limits["pids"], name
            assert int(limits["memory"]) > 0, name


def test_servers_that_can_be_asked_have_a_health_check(services: dict[str, Any]) -> None:
    """The worker's is its image's; two images have no shell and nothing that could ask."""
    with_one = {name for name, each in services.items() if each.get("healthcheck", {}).get("test")}
    assert with_one == {"jaeger", "bugsink", "postgres"}
    assert image("HEALTHCHECK").endswith('CMD ["loop26", "health"]')
    for name in WORKERS:
        assert "healthcheck" not in services[name]


def test_every_file_that_is_mounted_is_there_and_read_only(services: dict[str, Any]) -> None:
    """Docker would make a folder in the place of one that is not."""
    mounted = [
        volume
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    assert sorted(volume["source"] for volume in mounted) == [
        str(ROOT / "deploy" / "jaeger.yaml"),
        str(ROOT / "otel-collector.yaml"),
    ]
    for volume in mounted:
        assert volume["read_only"] is True


def test_a_worker_keeps_in_volumes_what_its_image_says(services: dict[str, Any]) -> None:
    """The home, which holds the spool and the outputs, and fetched weights."""
    folders = set(re.findall(r'"([^"]+)"', image("VOLUME")))
    assert len(folders) == 2
    for name in (*WORKERS, "operator"):
        volumes = {volume["target"]: volume for volume in services[name]["volumes"]}
        assert set(volumes) == folders
        assert {volume["type"] for volume in volumes.values()} == {"volume"}


def test_what_lies_in_memory_is_the_users(services: dict[str, Any]) -> None:
    """Docker gives such a folder the mode of the one that it covers, and to root."""
    folders = re.findall(r'"([^"]+)"', image("VOLUME"))
    user = re.findall(r"WORKER_UID=(\d+)", str(last_stage()))[0]
    covered = [
        each
        for service in services.values()
        for each in service.get("tmpfs", [])
        if each.partition(":")[0] in folders
    ]
    assert len(covered) == len(folders)
    assert all(f"uid={user}," in each for each in covered)


def test_compose_builds_nothing(services: dict[str, Any]) -> None:
    """Services that build one image at the same time get in each other's way."""
    assert [name for name, service in services.items() if "build" in service] == []


def test_every_volume_is_somebodys() -> None:
    """Those that no profile uses would be made all the same."""
    file = compose_file()
    mounted = [
        str(volume) for each in file["services"].values() for volume in each.get("volumes", [])
    ]
    used = {volume.partition(":")[0] for volume in mounted if not volume.startswith(".")}
    assert used == set(file["volumes"])


def test_the_collector_uses_less_memory_than_its_limit(services: dict[str, Any]) -> None:
    """By a fifth: else the kernel is quicker than the collector's own limiter."""
    collector = services["collector"]
    limit = int(collector["deploy"]["resources"]["limits"]["memory"])
    assert int(collector["environment"]["COLLECTOR_MEMORY_MIB"]) * 2**20 <= limit * 0.8


def test_workers_have_no_key_of_an_operator(composed: Composed, tmp_path: Path) -> None:
    """Also where .env has them all."""
    filled = tmp_path / "env"
    names = set(variables(".env.example")) - {"COMPOSE_PROFILES"}
    filled.write_text("".join(f"{name}=1g\n" for name in names))
    services = composed(*OF_PROFILE, env_file=str(filled))["services"]
    theirs = {"SUPABASE_SECRET_KEY", "SUPABASE_DB_URL", "POSTGRES_PASSWORD", "PGRST_JWT_SECRET"}
    for name in WORKERS:
        assert not theirs & set(services[name]["environment"])
    assert services["operator"]["environment"]["SUPABASE_SECRET_KEY"]


def seconds(period: str) -> float:
    """Read a time as Compose writes it, as in 1m30s."""
    units = {"h": 3600, "m": 60, "s": 1}
    parts = re.findall(r"([\d.]+)([hms])", period)
    return sum(float(number) * units[unit] for number, unit in parts)
