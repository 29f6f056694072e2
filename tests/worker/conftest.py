"""Fixtures of the worker's tests: an environment without anybody's settings."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Take away what the machine or the developer has set for a worker of their own."""
    for name in list(os.environ):
        if name.startswith(("LOOP26_", "OTEL_", "SENTRY_", "SUPABASE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("user")))
