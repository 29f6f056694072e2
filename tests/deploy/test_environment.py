"""The variables that the deployment files name: each is somebody's, and none holds a secret."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.files import (
    BASE,
    compose_file,
    container,
    instructions,
    interpolated,
    last_stage,
    manifest,
    manifests,
    runpod_template,
    variables,
)
from tests.servers.bugsink.server import installed as bugsink_installed
from tests.servers.cache import ROOT, Unavailable
from worker.settings import Settings
from worker.settings.environment import secret_names, variable_of

SETTINGS = {variable_of(name) for name in Settings.model_fields}
# Hugging Face's, and what caches in general go by.
LIBRARIES = {"HF_HOME", "XDG_CACHE_HOME"}
WORKERS = ("worker", "worker-cpu", "operator", "migrate")
SECRET = re.compile(
    r"PASSWORD|SECRET|TOKEN|_KEY\b|_KEY$|KEY_ID|DSN|HEADERS|SUPERUSER|DB_URI|DB_URL"
)


def of_service(name: str) -> dict[str, Any]:
    """Return what docker-compose.yml says of a service's environment, nothing filled in."""
    return dict(compose_file()["services"][name].get("environment", {}))


def of_pod(name: str) -> dict[str, Any]:
    """Return a container's variables that are named one by one, and what each is taken from."""
    return {each["name"]: each["valueFrom"] for each in container(name).get("env", [])}


def given() -> Iterator[tuple[str, str]]:
    """Find every variable that has a value in a file: its name and its value."""
    for service in compose_file()["services"]:
        for name, value in of_service(service).items():
            yield name, value or ""
    for file in (".env.example", BASE / "settings.env", BASE / "collector.env"):
        yield from variables(str(file)).items()
    yield from runpod_template()["env"].items()
    for word, rest in instructions():
        if word == "ENV":
            yield from re.findall(r'(\w+)="?([^" ]+)', rest)


@pytest.mark.parametrize("service", WORKERS)
def test_a_worker_is_given_settings_that_there_are(service: str) -> None:
    """By Compose."""
    assert set(of_service(service)) - SETTINGS == set()


def test_a_pod_is_given_settings_that_there_are() -> None:
    """By Kubernetes, from its settings and its secrets."""
    named = set(variables(str(BASE / "settings.env"))) | set(of_pod("worker"))
    assert named - SETTINGS == set()


def test_runpod_is_told_of_settings_that_there_are() -> None:
    """By its template."""
    assert set(runpod_template()["env"]) - SETTINGS - LIBRARIES == set()


def test_the_image_sets_no_setting_but_the_home() -> None:
    """All else has its default, or is the deployment's."""
    [said] = [rest for word, rest in last_stage() if word == "ENV"]
    names = set(re.findall(r"(?:^| )(\w+)=", said))
    assert names - LIBRARIES == {"PATH", "LANG", "LOOP26_HOME"}


def test_the_collector_is_given_what_its_settings_ask_for() -> None:
    """By Compose and by Kubernetes."""
    asked = set(re.findall(r"\$\{env:(\w+)", (ROOT / "otel-collector.yaml").read_text()))
    assert set(of_service("collector")) - asked == set()
    assert set(variables(str(BASE / "collector.env"))) - asked == set()


def test_bugsink_is_given_what_its_image_reads() -> None:
    """Its settings for Docker are in its package, and so is what makes the first user."""
    try:
        package = bugsink_installed()
    except Unavailable as reason:
        pytest.skip(str(reason))
    [template] = package.glob("lib/python*/site-packages/bugsink/conf_templates/docker.py.template")
    [first_start] = package.glob("lib/python*/site-packages/bsmain/*/commands/prestart.py")
    read = template.read_text() + first_start.read_text()
    for name in of_service("bugsink"):
        assert f'"{name}"' in read, name


def test_postgrest_is_configured_as_in_the_tests() -> None:
    """But for addresses and secrets."""
    source = (ROOT / "tests" / "servers" / "supabase" / "postgrest.py").read_text()
    tested = dict(re.findall(r'"(PGRST_\w+)": "([^"]*)"', source))
    for name, value in of_service("postgrest").items():
        if name not in {"PGRST_DB_URI", "PGRST_JWT_SECRET"}:
            assert tested[name] == value


def test_the_example_has_every_variable_that_compose_reads() -> None:
    """And no other."""
    file = compose_file()
    read = {name for name, _ in interpolated(file)}
    passed_on = {
        name
        for service in file["services"]
        for name, value in of_service(service).items()
        if value is None
    }
    assert set(variables(".env.example")) == read | passed_on | {"COMPOSE_PROFILES"}


def test_the_examples_defaults_are_those_of_compose() -> None:
    """Where it shows one."""
    defaults = {name: value for name, value in interpolated(compose_file()) if value}
    shown = {name: value for name, value in variables(".env.example").items() if value}
    assert {name: value for name, value in shown.items() if name in defaults} == defaults


def test_no_file_holds_a_secret() -> None:
    """What may be one is empty, or taken from elsewhere."""
    secret = {variable_of(name) for name in secret_names()}
    checked = {name: value for name, value in given() if name in secret or SECRET.search(name)}
    assert secret & set(checked) >= {"SENTRY_DSN", "LOOP26_WORKER_TOKEN", "AWS_SECRET_ACCESS_KEY"}
    for name, value in checked.items():
        left = re.sub(r"\$\{\w+:-\}|\{\{ RUNPOD_SECRET_\w+ \}\}", "", value)
        assert not left or re.fullmatch(r"postgres(ql)?://\w+:@postgres:5432/queue", left), name


def test_kubernetes_takes_secrets_from_secrets() -> None:
    """By reference; none of the manifests is one."""
    secret = {variable_of(name) for name in secret_names()}
    for name, source in of_pod("worker").items():
        assert ("secretKeyRef" in source) or name not in secret, name
    assert "Secret" not in {each["kind"] for each in manifests()}
    assert secret & set(variables(str(BASE / "settings.env"))) == set()
    [reference] = manifest("TriggerAuthentication", "queue")["spec"]["secretTargetRef"]
    assert set(reference) == {"parameter", "name", "key"}
