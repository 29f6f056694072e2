"""A real Jaeger for tests: it takes spans by OTLP, and is asked for traces by HTTP."""

from pathlib import Path
from signal import SIGKILL, Signals
from typing import ClassVar

from tests.servers.base import Server, answers
from tests.servers.jaeger.build import HERE, built
from tests.servers.ports import free_port

MEMORY = "{memory: {max_traces: 10000}}"
DISK = "{badger: {ephemeral: false, directories: {keys: ./keys, values: ./values}}}"


class Jaeger(Server):
    """A running Jaeger, to be used in a `with` block; a test makes traces of its own in it.

    Args:
        folder: Where it runs; it is made.
        persistent: Whether traces outlive it: they lie in the folder, for whenever it is started
            again. Else they are in its memory, and a restart loses them.

    Attributes:
        query_url: Where traces are asked for.
        otlp_endpoint: Where spans go, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    """

    # Asked kindly it waits for connections that are kept; what it has on disk is whole anyhow.
    asks: ClassVar[Signals] = SIGKILL

    def __init__(self, folder: Path, *, persistent: bool = False) -> None:
        """Build it, if it is not there. Raises `tests.servers.cache.Unavailable`."""
        self._program = built()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        names = ("HEALTH_PORT", "HTTP_PORT", "GRPC_PORT", "OTLP_PORT")
        self._ports = {name: free_port() for name in names}
        self._storage = DISK if persistent else MEMORY
        self.query_url = f"http://127.0.0.1:{self._ports['HTTP_PORT']}"
        self.otlp_endpoint = f"http://127.0.0.1:{self._ports['OTLP_PORT']}"

    def command(self) -> list[str]:
        """Run it by the settings that lie here."""
        return [str(self._program), "--config", str(HERE / "jaeger.yaml")]

    def variables(self) -> dict[str, str]:
        """Fill the settings in."""
        return {name: str(port) for name, port in self._ports.items()} | {"STORAGE": self._storage}

    def is_ready(self) -> bool:
        """Whether it says that it is well."""
        return answers(f"http://127.0.0.1:{self._ports['HEALTH_PORT']}/status")
