"""A real OpenTelemetry collector for tests, run by the settings that operators run it by."""

import subprocess
import urllib.request
from pathlib import Path

from tests.servers.base import Server, answers
from tests.servers.cache import ROOT
from tests.servers.collector.build import built
from tests.servers.environment import server_environment
from tests.servers.ports import free_port

SETTINGS = ROOT / "otel-collector.yaml"


class Collector(Server):
    """A running collector, to be used in a `with` block; what it could not send is in its folder.

    Args:
        folder: Where it runs; it is made.
        jaeger: Where it sends traces, by OTLP.
        settings: Variables of otel-collector.yaml, beside the addresses.

    Attributes:
        otlp_endpoint: Where spans, logs and metrics go, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        otlp_grpc: The same by gRPC, as "host:port".
        health_url: Where it says how it is.
        prometheus_url: The metrics of those that send to it.
        own_metrics_url: Its own.
        queue: Where it keeps what it could not send yet.
        logs: The file that it writes logs to.
    """

    def __init__(self, folder: Path, jaeger: str, **settings: str) -> None:
        """Build it, if it is not there. Raises `tests.servers.cache.Unavailable`."""
        self._program = built()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        http, grpc, health, metrics, own = (free_port() for _ in range(5))
        self.otlp_endpoint = f"http://127.0.0.1:{http}"
        self.otlp_grpc = f"127.0.0.1:{grpc}"
        self.health_url = f"http://127.0.0.1:{health}"
        self.prometheus_url = f"http://127.0.0.1:{metrics}/metrics"
        self.own_metrics_url = f"http://127.0.0.1:{own}/metrics"
        self.queue = folder / "queue"
        self.logs = folder / "logs" / "loop26.jsonl"
        self._settings = {
            "JAEGER_OTLP_ENDPOINT": jaeger,
            "COLLECTOR_OTLP_HTTP": f"127.0.0.1:{http}",
            "COLLECTOR_OTLP_GRPC": self.otlp_grpc,
            "COLLECTOR_HEALTH": f"127.0.0.1:{health}",
            "COLLECTOR_PROMETHEUS": f"127.0.0.1:{metrics}",
            "COLLECTOR_METRICS_HOST": "127.0.0.1",
            "COLLECTOR_METRICS_PORT": str(own),
            "COLLECTOR_QUEUE_DIR": str(self.queue),
            "COLLECTOR_LOGS_FILE": str(self.logs),
            **settings,
        }

    def command(self) -> list[str]:
        """Run it by the file that docker-compose.yml mounts."""
        return [str(self._program), f"--config={SETTINGS}"]

    def variables(self) -> dict[str, str]:
        """Say what that file leaves to its environment."""
        return self._settings

    def is_ready(self) -> bool:
        """Whether it says that it is well."""
        return answers(self.health_url)

    def own_metrics(self) -> dict[str, float]:
        """Return what it tells about itself: sums by name."""
        with urllib.request.urlopen(self.own_metrics_url, timeout=60) as answer:  # noqa: S310 - its own address
            lines = answer.read().decode().splitlines()
        sums: dict[str, float] = {}
        for line in lines:
            if line[:1] != "#":
                series, _, value = line.rpartition(" ")
                name = series.partition("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums


def validated(**variables: str) -> subprocess.CompletedProcess[str]:
    """Have the settings checked by the collector itself, with some variables set."""
    return subprocess.run(
        [built(), "validate", f"--config={SETTINGS}"],
        env=server_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
