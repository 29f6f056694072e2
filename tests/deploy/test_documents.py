"""The pages on deploying: what they name is there, and what they say of numbers is so."""

import json
import re
from pathlib import Path

import pytest

from tests.deploy.conftest import Checked
from tests.deploy.files import BASE, compose_file, instructions, manifest, variables, version
from tests.servers.cache import ROOT
from worker import errors
from worker.engines.drill.models import FAULTS
from worker.settings import Settings
from worker.settings.environment import variable_of

PAGES = ("docs/deploying.md", "docs/first-gpu-run.md")
TEXT = {page: (ROOT / page).read_text() for page in PAGES}
EVERYTHING = "\n".join(TEXT.values())


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_a_page_is_there(page: str) -> None:
    """And so is every page that it leads to."""
    # With a second slash or a dot: `deploy/worker` is how kubectl calls the Deployment.
    path = r"(?:deploy|docs|requirements|tests)/[\w-]+[./][\w./-]*\w"
    named = re.findall(rf"[` ]({path})", TEXT[page])
    linked = re.findall(r"\]\(([\w.-]+\.md)[)#]", TEXT[page])
    assert named or linked
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [path for path in linked if not (ROOT / "docs" / path).exists()] == []


def test_every_setting_and_variable_in_the_pages_exists() -> None:
    """loop26's own, and those of .env."""
    known = {variable_of(name) for name in Settings.model_fields} | set(variables(".env.example"))
    named = re.findall(r"\b((?:LOOP26|SUPABASE|SENTRY|OTEL|AWS|BUGSINK)_[A-Z0-9_]+)", EVERYTHING)
    named += re.findall(r"`(WORKER_(?:GPU|MEMORY)|COMPOSE_\w+)`", EVERYTHING)
    assert len(named) > 20
    assert set(named) - known == set()


def test_every_service_and_profile_in_the_pages_exists() -> None:
    """By the commands."""
    file = compose_file()
    services = re.findall(
        r"docker compose (?:exec|run --rm|stop|kill|logs)(?: -\S+(?: \w+=\S+)?)* (\w+)", EVERYTHING
    )
    assert {"worker", "operator"} <= set(services) <= set(file["services"])
    profiles = {
        profile for each in file["services"].values() for profile in each.get("profiles", [])
    }
    for chosen in re.findall(r"COMPOSE_PROFILES=([\w,]+)|--profile (\w+)", EVERYTHING):
        assert set("".join(chosen).split(",")) <= profiles


def test_every_exit_code_is_told_of_each_host() -> None:
    """In one table."""
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", TEXT[PAGES[0]], re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"\b(\d+) \w", row[0])}
    known = {str(value) for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert codes == known


def test_the_faults_in_the_checklist_are_drilled() -> None:
    """By their names."""
    named = set(re.findall(r"`(cuda-\w+|oom)`", TEXT[PAGES[1]]))
    assert {"cuda-oom", "cuda-assert", "oom"} == named
    assert named <= set(FAULTS)


def test_the_example_of_another_gpu_is_taken(tools: Checked, tmp_path: Path) -> None:
    """By Compose: a worker beside the other, on that GPU alone."""
    [example] = re.findall(r"```yaml\n(.*?)```", TEXT[PAGES[0]], re.DOTALL)
    override = tmp_path / "docker-compose.override.yml"
    file = ROOT / "docker-compose.yml"
    override.write_text(example.replace("file: docker-compose.yml", f"file: {file}"))
    files = ["--env-file", ".env.example", "--file", file, "--file", override]
    done = tools("docker-compose", *files, "config", "--format", "json", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    services = json.loads(done.stdout)["services"]
    devices = {
        name: services[name]["deploy"]["resources"]["reservations"]["devices"]
        for name in ("worker", "worker-1")
    }
    assert [[each["device_ids"] for each in found] for found in devices.values()] == [
        [["0"]],
        [["1"]],
    ]
    assert services["worker-1"]["restart"] == services["worker"]["restart"]


def test_the_pages_name_what_is_used() -> None:
    """The image, its base, and how long a host waits."""
    assert set(re.findall(r"loop26:(\d+\.\d+\.\d+)", EVERYTHING)) == {version()}
    base = instructions()[0][1].split()[0]
    assert set(re.findall(r"nvidia/cuda:\S+?(?= |`)", EVERYTHING)) == {base}
    worker = compose_file()["services"]["worker"]
    assert f"25 s of {worker['stop_grace_period'].rstrip('s')} s in Compose" in EVERYTHING
    grace_s = int(variables(str(BASE / "settings.env"))["LOOP26_GRACE_S"])
    period_s = manifest("Deployment", "worker")["spec"]["template"]["spec"][
        "terminationGracePeriodSeconds"
    ]
    assert f"{grace_s // 60} min of\n{period_s // 60} in Kubernetes" in EVERYTHING
