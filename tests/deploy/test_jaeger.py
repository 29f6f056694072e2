"""deploy/jaeger.yaml, in the Jaeger of the tests: it starts, and keeps what it has taken."""

import json
import secrets
import time
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any, ClassVar

import httpx
import pytest

from tests.deploy.files import compose_file
from tests.servers.base import Server, answers
from tests.servers.cache import ROOT, Unavailable
from tests.servers.jaeger.build import built
from tests.servers.ports import free_port

PORTS = ("HEALTH", "QUERY", "QUERY_GRPC", "OTLP_GRPC", "OTLP_HTTP", "METRICS")
FOUND_S = 180

pytestmark = pytest.mark.timeout(1800)  # it is built, where no cache has it


class DeployedJaeger(Server):
    """Jaeger with the settings of the deployment, but for where it listens and keeps its files."""

    asks: ClassVar[Signals] = SIGKILL

    def __init__(self, folder: Path) -> None:
        self._program = built()
        super().__init__(folder, folder / "jaeger.log")
        self.port = {name: free_port() for name in PORTS}

    def command(self) -> list[str]:
        """As Compose has it, with the file where it lies."""
        [option] = compose_file()["services"]["jaeger"]["command"]
        assert option == "--config=/etc/jaeger.yaml"
        return [str(self._program), f"--config={ROOT / 'deploy' / 'jaeger.yaml'}"]

    def variables(self) -> dict[str, str]:
        """As Compose has them, and what differs from a container."""
        ports = {f"JAEGER_{name}_PORT": str(port) for name, port in self.port.items()}
        return {
            "JAEGER_HOST": "127.0.0.1",
            "JAEGER_DIRECTORY": str(self.folder),
            # Where its own traces would go, at once: to itself, as in a container.
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port['OTLP_GRPC']}",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
            **ports,
            **compose_file()["services"]["jaeger"]["environment"],
        }

    def is_ready(self) -> bool:
        """As its health check asks."""
        test = compose_file()["services"]["jaeger"]["healthcheck"]["test"]
        return answers(str(test[-1]).replace("13133", str(self.port["HEALTH"])))

    def asked(self, name: str, path: str) -> httpx.Response:
        """Ask at one of its ports."""
        return httpx.get(f"http://127.0.0.1:{self.port[name]}{path}", timeout=60)


@pytest.fixture
def jaeger(tmp_path: Path) -> DeployedJaeger:
    """A Jaeger that is not started; skip where there is none."""
    try:
        return DeployedJaeger(tmp_path)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_it_keeps_traces_through_a_kill(jaeger: DeployedJaeger) -> None:
    """What it has acknowledged is on its disk; the collector has let go of it."""
    trace_id = secrets.token_hex(16)
    with jaeger:
        send(jaeger, trace_id)
        jaeger.kill()
        jaeger.start()
        assert found(jaeger, trace_id) == ["a span"]


def test_it_fills_itself_with_nothing_of_its_own(jaeger: DeployedJaeger) -> None:
    """Among the services are those that send to it."""
    with jaeger:
        send(jaeger, secrets.token_hex(16))
        for _ in range(50):  # each would be a trace
            services = jaeger.asked("QUERY", "/api/services").json()["data"]
        assert set(services) <= {"a service"}


def test_it_tells_prometheus_how_it_is(jaeger: DeployedJaeger) -> None:
    """At a port of its own."""
    with jaeger:
        assert "otelcol_process_uptime" in jaeger.asked("METRICS", "/metrics").text


def send(jaeger: DeployedJaeger, trace_id: str) -> None:
    """Send it one span, as a collector does."""
    now = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": "a span",
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1),
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "a service"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    answer = httpx.post(
        f"http://127.0.0.1:{jaeger.port['OTLP_HTTP']}/v1/traces", json=body, timeout=60
    )
    assert answer.status_code == 200, answer.text


def found(jaeger: DeployedJaeger, trace_id: str) -> list[str]:
    """Return the names of a trace's spans, when there are any."""
    deadline = time.monotonic() + FOUND_S
    while time.monotonic() < deadline:
        answer = jaeger.asked("QUERY", f"/api/v3/traces/{trace_id}")
        if answer.status_code == 200:
            return [span["name"] for span in spans(json.loads(answer.text))]
    return []


def spans(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the spans of an answer."""
    return [
        span
        for resource in answer["result"]["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
