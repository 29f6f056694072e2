"""Fixtures of the deployment's tests: what checks the files, and what Compose makes of its own."""

import json
import subprocess
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.deploy.tools import Unavailable, checked, fetched
from tests.servers.cache import ROOT

Checked: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Composed: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def tools() -> Checked:
    """Run the programs that check deployment files; skip where they cannot be fetched."""
    try:
        fetched()
    except Unavailable as reason:
        pytest.skip(str(reason))
    return checked


@pytest.fixture
def composed(tools: Checked) -> Composed:
    """Have Compose read docker-compose.yml with some profiles; it must have nothing to say."""

    def compose(*profiles: str, env_file: str = "/dev/null") -> dict[str, Any]:
        chosen = [part for profile in profiles for part in ("--profile", profile)]
        command = ["--env-file", env_file, *chosen, "config", "--format", "json"]
        done = tools("docker-compose", *command, cwd=ROOT)
        assert (done.returncode, done.stderr) == (0, "")
        services: dict[str, Any] = json.loads(done.stdout)
        return services

    return compose
