"""A Jaeger, started for a session of tests: it takes spans by OTLP, and keeps them in memory."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.servers.jaeger.build import HERE, built

READY_S = 60


class Jaeger:
    """A running Jaeger, to be used in a `with` block; a test makes traces of its own in it.

    Attributes:
        query_url: Where traces are asked for.
        otlp_endpoint: Where spans go, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    """

    def __init__(self, folder: Path) -> None:
        """Build it, if it is not there. Raises `tests.servers.jaeger.build.Unavailable`."""
        self._program = built()
        self._folder = folder
        health, http, grpc, otlp = _free_ports(4)
        settings = (HERE / "jaeger.yaml").read_text()
        for name, port in {"HEALTH": health, "HTTP": http, "GRPC": grpc, "OTLP": otlp}.items():
            settings = settings.replace(f"{name}_PORT", str(port))
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = folder / "jaeger.yaml"
        self._settings.write_text(settings)
        self._health_url = f"http://127.0.0.1:{health}/status"
        self._process: subprocess.Popen[bytes] | None = None
        self.query_url = f"http://127.0.0.1:{http}"
        self.otlp_endpoint = f"http://127.0.0.1:{otlp}"

    def __enter__(self) -> Self:
        with (self._folder / "jaeger.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "--config", self._settings],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            # Asked to stop, it waits for connections that are kept; it has nothing to save.
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_S
        log = self._folder / "jaeger.log"
        while not self._is_ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._health_url, timeout=5) as answer:  # noqa: S310 - its own address
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different: they are held until all are known."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
