"""The OpenTelemetry collector of the tests, as it is built here."""

from pathlib import Path

from tests.servers.go_program import GoProgram

PROGRAM = GoProgram(name="collector", folder=Path(__file__).resolve().parent)
built = PROGRAM.built
