"""The Jaeger that tests ask, as it is built here."""

from pathlib import Path

from tests.servers.cache import Unavailable
from tests.servers.go_program import GoProgram

__all__ = ["HERE", "PROGRAM", "Unavailable", "built"]

HERE = Path(__file__).resolve().parent
PROGRAM = GoProgram(
    name="jaeger", folder=HERE, package="github.com/jaegertracing/jaeger/cmd/jaeger"
)
built = PROGRAM.built
