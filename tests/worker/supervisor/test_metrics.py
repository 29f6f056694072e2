"""What the supervisor shows as metrics: every instrument that is looked at has its look."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry import names
from telemetry.metrics import CATALOG, GpuWatch, Look, Meters, Observed
from telemetry.shipper import OtlpTarget, Shipper
from telemetry.testing import OtlpReceiver, Reply
from worker.messages import TelemetryTrouble
from worker.supervisor import metrics
from worker.supervisor.health import HealthFile
from worker.supervisor.metrics_queue import QueueWatch
from worker.supervisor.presence import Presence

if TYPE_CHECKING:
    from tests.worker.supervisor.conftest import Desk

METERS = Meters(OtlpTarget(endpoint="http://127.0.0.1:9"), every_s=60)
OBSERVED = {one.name for one in CATALOG.values() if one.shape.value.startswith("observed")}


def presence_of(desk: "Desk", tmp_path: Path) -> Presence:
    """Make the presence of a worker whose own recorder has lost two records."""
    own = TelemetryTrouble(faults=1, last_fault="KeyError", lost=2)
    return Presence(desk.store, HealthFile(tmp_path), "gpu", own=lambda: own)


def seen(look: Look, *by: str) -> dict[object, float]:
    """Look, and return the values by those of an attribute."""
    found: Iterable[Observed] = look()
    return {tuple(one.attributes[key] for key in by): one.value for one in found}


def test_every_observed_instrument_has_one_look(desk: "Desk", tmp_path: Path) -> None:
    """Those of the worker, of its queue and of its GPUs: no row of the table is empty."""
    own = metrics.looks(presence_of(desk, tmp_path), Shipper(desk.spool), METERS, lambda: 0)
    queue = QueueWatch(desk.store, ["t2v"], every_s=60).looks()
    gpus = GpuWatch().looks()
    assert sorted([*own, *queue, *gpus]) == sorted(OBSERVED)


def test_one_state_is_the_workers_and_the_others_are_not(desk: "Desk", tmp_path: Path) -> None:
    """So that whoever adds up over workers knows how many are in each."""
    presence = presence_of(desk, tmp_path)
    presence.state = "busy"
    look = metrics.looks(presence, Shipper(desk.spool), METERS, lambda: 0)[names.WORKER_STATUS]
    states = seen(look, names.WORKER_STATE)
    assert set(states) == {(state,) for state in metrics.STATES}
    assert {state for (state,), value in states.items() if value} == {"busy"}


def test_what_was_lost_is_shown_of_this_process_and_of_task_processes(
    desk: "Desk", tmp_path: Path
) -> None:
    """As the health file has it."""
    presence = presence_of(desk, tmp_path)
    presence.hear(TelemetryTrouble(faults=0, last_fault="", lost=3))
    looks = metrics.looks(presence, Shipper(desk.spool), METERS, lambda: 7)
    assert seen(looks[names.TELEMETRY_RECORDS_LOST]) == {(): 5}
    assert seen(looks[names.TELEMETRY_FAULTS]) == {(): 1}
    assert seen(looks[names.TELEMETRY_JOURNALS_UNCLOSED]) == {(): 7}


def test_what_waits_for_a_backend_is_shown_by_signal(desk: "Desk", tmp_path: Path) -> None:
    """How much, and how old the oldest is; and what was asked in vain."""
    with desk.recorder.span("a"):
        pass
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        shipper = Shipper(desk.spool, otlp=OtlpTarget(endpoint=receiver.endpoint))
        shipper.drain(5)
        looks = metrics.looks(presence_of(desk, tmp_path), shipper, METERS, lambda: 0)
        waiting = seen(looks[names.TELEMETRY_WAITING], names.SIGNAL)
        ages = seen(looks[names.TELEMETRY_OLDEST_AGE], names.SIGNAL)
        failed = seen(looks[names.TELEMETRY_FAILURES], names.SIGNAL)
        shipper.stop(0.1)
    assert waiting == {("traces",): 1, ("logs",): 0}
    assert ages[("traces",)] > 0
    assert ages[("logs",)] == 0
    assert failed[("traces",)] > 0
