"""A flood of failures at a real server of Sentry's kind: within its quota, counted, none lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.journal import JournalReader, process_directories
from telemetry.recorder import Recorder
from telemetry.records import Error, Kind
from telemetry.shipper import Quota, SentryTarget, Shipper
from tests.acceptance.home import wait_for
from tests.servers.bugsink.server import Bugsink
from tests.servers.cache import Unavailable

SHIPPED_S = 600
FLOOD = 5000
# One window, however slow the machine is: in the next one another hundred would be sent.
ONE_WINDOW = Quota(window_s=3600)

pytestmark = pytest.mark.timeout(1800)  # the server is installed first, where no cache has it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    """Run a server; skip where it is not installed and cannot be."""
    try:
        bugsink = Bugsink(tmp_path_factory.mktemp("flood") / "site")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with bugsink:
        yield bugsink


def look_up(models: dict[str, Any], name: str) -> int:
    """Fail as the incident did."""
    model_def: Any = models.get(name)
    found: int = model_def.get("frames_minimum")
    return found


def divide(number: int) -> float:
    """Fail otherwise."""
    return 26 / number


def record(spool: Path, failures: dict[str, tuple[Callable[[], object], int]]) -> None:
    """Record failures of tasks in a journal, each kind so many times, as task processes do."""
    recorder = Recorder.open(spool, role="task", facts={})
    for name, (fail, times) in failures.items():
        for number in range(times):
            with recorder.task(
                task_id=f"{name}-{number}",
                attempt=1,
                task_type="travel_segment",
                trace_id=bytes([26]) * 16,
                worker_id="gpu-1",
                params={"segment_index": number},
            ):
                try:
                    fail()
                except Exception as exc:  # noqa: BLE001 - it is what the test wants
                    recorder.error(exc)
    recorder.close(exit_code=0)


def errors(spool: Path) -> list[Error]:
    """Return the errors that the journals hold."""
    return [
        record.body
        for directory in process_directories(spool)
        for record in JournalReader(directory).read()
        if record.kind is Kind.ERROR
    ]


def shipped(spool: Path, server: Bugsink, quota: Quota) -> Shipper:
    """Ship all there is."""
    shipper = Shipper(spool, sentry=SentryTarget(dsn=server.dsn, release="loop26@26", quota=quota))
    assert shipper.drain(SHIPPED_S)
    shipper.stop(1)
    return shipper


def counted(server: Bugsink) -> dict[str, int]:
    """Return how many events of each type of exception the server says that it has digested."""
    found: Counter[str] = Counter()
    for issue in server.issues():
        found[issue["calculated_type"]] += issue["digested_event_count"]
    return found


def test_a_hundred_failures_of_one_kind_are_one_issue(tmp_path: Path, server: Bugsink) -> None:
    """One of another kind is another; its stack, source, locals, tags and trace are shown."""
    spool = tmp_path / "spool"
    record(
        spool,
        {
            "lookup": (lambda: look_up({"wan": {}}, ""), 100),
            "division": (lambda: divide(0), 1),
        },
    )
    shipped(spool, server, ONE_WINDOW)
    wait_for(lambda: sum(counted(server).values()) == 101, "101 events", SHIPPED_S)
    issues = {issue["calculated_type"]: issue for issue in server.issues()}
    assert {name: issue["digested_event_count"] for name, issue in issues.items()} == {
        "AttributeError": 100,
        "ZeroDivisionError": 1,
    }
    newest = server.get(f"events/?issue={issues['AttributeError']['id']}")["results"][0]["id"]
    data = server.get(f"events/{newest}/")["data"]
    shown = server.stacktrace(newest)
    assert f"{Path(__file__).name}:" in shown
    assert 'model_def.get("frames_minimum")' in shown
    assert "model_def" in shown.partition("#### Locals")[2]
    tags = data["tags"] if isinstance(data["tags"], dict) else dict(data["tags"])
    assert tags["task_type"] == "travel_segment"
    assert tags["trace_id"] == data["contexts"]["trace"]["trace_id"] == "1a" * 16
    assert data["release"] == "loop26@26"


def test_five_thousand_failures_stay_within_the_quota(tmp_path: Path, server: Bugsink) -> None:
    """What Sentry does not get is counted there and here, and is in the journal."""
    spool = tmp_path / "spool"
    before = counted(server).get("KeyError", 0)
    record(spool, {"flood": (lambda: {}["model"], FLOOD)})
    shipper = shipped(spool, server, ONE_WINDOW)
    gone = shipper.counters.exported
    assert gone == 106
    assert gone + shipper.counters.held_back == FLOOD == len(errors(spool))
    assert (shipper.counters.refused, shipper.counters.behind) == (0, 0)
    wait_for(lambda: counted(server)["KeyError"] - before == gone, "all events", SHIPPED_S)
    (issue,) = [one for one in server.issues() if one["calculated_type"] == "KeyError"]
    newest = server.get(f"events/?issue={issue['id']}&sort=digest_order&order=desc")["results"][0]
    told = server.get(f"events/{newest['id']}/")["data"]["contexts"]["held back"]
    assert told == {"failures like this one, not sent since the last": 2047}
