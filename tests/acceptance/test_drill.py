"""Every fault that can be drilled is found at its line, and its telemetry where it is to go."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from telemetry.testing import OtlpReceiver, SentryReceiver
from tests.acceptance.backends import backends
from tests.acceptance.home import LOOP26, Home, home_at, wait_for
from tests.servers.bugsink.server import Bugsink
from tests.servers.cache import Unavailable
from tests.servers.jaeger.server import Jaeger
from worker.engines.drill.models import FAULTS
from worker.store.local import LocalStore
from worker.task import TaskStatus

pytestmark = pytest.mark.timeout(600)


class Drills:
    """What `loop26 drill --all` said, and what came to the backends meanwhile."""

    def __init__(self, home: Home, otlp: OtlpReceiver, sentry: SentryReceiver) -> None:
        home.environment["LOOP26_DEVICE"] = "cpu"
        done = home.run("drill", "--all", "--json")
        assert done.stderr == ""
        self.home = home
        self.code = done.returncode
        self.told: dict[str, Any] = json.loads(done.stdout)
        self.by_fault = {one["fault"]: one for one in self.told["drills"]}
        self.spans = Counter(one.span.span_id.hex() for one in otlp.spans)
        self.events = Counter(event["event_id"] for event in sentry.events)

    @property
    def folder(self) -> Path:
        """The folder that the drills ran in."""
        return Path(self.told["folder"])


@pytest.fixture(scope="module")
def drills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drills]:
    """Run all drills once, as an operator does after deploying."""
    with home_at(tmp_path_factory.mktemp("drills")) as home, backends(home) as receivers:
        yield Drills(home, *receivers)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_as_it_was_planted(drills: Drills, fault: str) -> None:
    """The line, its locals, how far it got, every span, the row, and the telemetry."""
    told = drills.by_fault[fault]
    if told["skipped"]:
        pytest.skip(told["skipped"])
    assert [check for check in told["checks"] if not check["ok"]] == []
    assert told["verdict"] == "right"


def test_all_of_them_end_well(drills: Drills) -> None:
    """By the exit code, too."""
    assert (drills.code, drills.told["ok"]) == (0, True)


def test_what_was_acknowledged_has_come_once(drills: Drills) -> None:
    """A backend that cannot be asked is not said to have anything, though it has."""
    checks = [check for one in drills.told["drills"] for check in one["checks"]]
    said = {check["found"] for check in checks if check["name"] in ("OTLP", "Sentry")}
    assert said == {"acknowledged"}
    assert set(drills.spans.values()) == {1}
    assert set(drills.events.values()) == {1}


def test_the_real_queue_and_outputs_are_not_touched(drills: Drills) -> None:
    """They are not even made."""
    assert [path.name for path in drills.home.path.iterdir()] == ["drill"]


def test_the_second_failure_of_the_incident_is_told_as_one_whose_record_is_cut(
    drills: Drills,
) -> None:
    """By the command that the drill ends with; and the line is the engine's, not LOOP 26."""
    first, second = drills.by_fault["incident"]["tasks"]
    done = subprocess.run(
        [LOOP26, "--home", str(drills.folder), "investigate", second, "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=drills.home.environment,
    )
    told = json.loads(done.stdout)
    assert told["completeness"]["complete"] is False
    assert told["loop"]["completed"] == 25
    assert told["failure"]["location"]["function"] == "_frames_minimum"
    assert first in {one["task"] for one in told["same_failure"]}


def test_the_report_on_the_incident_shows_its_loras(drills: Drills) -> None:
    """Each with its multipliers over the two phases, as a person reads it."""
    first, _ = drills.by_fault["incident"]["tasks"]
    done = subprocess.run(
        [LOOP26, "--home", str(drills.folder), "investigate", first, "--markdown"],
        capture_output=True,
        text=True,
        check=True,
        env=drills.home.environment,
    )
    said = done.stdout.partition("### LoRAs")[2].partition("###")[0]
    rows = [line.split("`") for line in said.splitlines() if ".safetensors" in line]
    assert [(Path(row[1]).name, row[3]) for row in rows] == [
        ("drill-high.safetensors", "1.2;0"),
        ("drill-both.safetensors", "1.05;1.05"),
        ("drill-low.safetensors", "0;1.0"),
    ]


def test_an_endpoint_that_is_not_there_fails_the_drill(home: Home) -> None:
    """All else is right; the wait is as long as was said."""
    home.environment |= {
        "LOOP26_DEVICE": "cpu",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    done = home.run("drill", "exit", "--wait", "1")
    assert done.returncode == 1
    assert "Drill exit: WRONG" in done.stdout
    wrong = [line for line in done.stdout.splitlines() if line.rstrip().endswith("NO")]
    assert len(wrong) == 1
    assert "not acknowledged in time" in wrong[0]


def test_a_drill_after_one_that_was_killed_is_right(home: Home) -> None:
    """What the killed one left in the drill's queue is not worked on."""
    command = [LOOP26, "--home", str(home.path), "drill", "hang"]
    killed = subprocess.Popen(command, env=home.environment, stdout=subprocess.DEVNULL)
    queue = home.path / "drill" / "queue.db"

    def at_work() -> bool:
        if not queue.exists():
            return False
        with closing(LocalStore(queue)) as store:
            return bool(store.list_tasks(statuses=[TaskStatus.IN_PROGRESS]))

    try:
        wait_for(at_work, "task in hand", 60)
    finally:
        killed.kill()
        killed.wait()
    done = home.run("drill", "exit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Drill exit: right" in done.stdout
    with closing(LocalStore(queue)) as store:
        statuses = Counter(task.status for task in store.list_tasks())
    assert statuses == {TaskStatus.FAILED: 1, TaskStatus.CANCELLED: 1}


@pytest.mark.parametrize("fault", ["swallowed", "incident"])
def test_what_jaeger_and_bugsink_have_is_said_to_have_arrived(
    home: Home, jaeger_server: Jaeger, bugsink: Bugsink, fault: str
) -> None:
    """Every span of each trace, and each event: also that of an exception that was swallowed."""
    host = urlsplit(bugsink.dsn)
    home.environment |= {
        "LOOP26_DEVICE": "cpu",
        "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger_server.otlp_endpoint,
        "SENTRY_DSN": bugsink.dsn,
        "LOOP26_JAEGER_URL": jaeger_server.query_url,
        "LOOP26_SENTRY_URL": f"{host.scheme}://{host.hostname}:{host.port}",
        "LOOP26_SENTRY_TOKEN": bugsink.token,
    }
    done = home.run("drill", fault, "--json", "--wait", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bugsink.token not in done.stdout
    (told,) = json.loads(done.stdout)["drills"]
    found = {check["name"]: check["found"] for check in told["checks"]}
    assert found["Jaeger"].endswith("arrived")
    assert found["Sentry"] == "2 arrived"
    assert found["OTLP"] == "spans acknowledged; logs are not taken there"


@pytest.fixture(scope="module")
def bugsink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    """Run a Bugsink; skip where it is not installed and cannot be."""
    try:
        server = Bugsink(tmp_path_factory.mktemp("bugsink") / "site")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with server:
        yield server
