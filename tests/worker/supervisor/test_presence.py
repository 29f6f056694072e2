"""What a worker shows of its telemetry: what was lost, and why."""

from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.journal import JournalWriter
from telemetry.shipper import Counters
from worker.messages import TelemetryTrouble
from worker.supervisor.health import HealthFile, check
from worker.supervisor.presence import NO_TROUBLE, Presence

if TYPE_CHECKING:
    from tests.worker.supervisor.conftest import Desk

OWN = TelemetryTrouble(faults=1, last_fault="KeyError at a.py:1", lost=2)


def sentence(desk: "Desk", tmp_path: Path, own: TelemetryTrouble, **shipped: int) -> str:
    """Show a worker with such telemetry of its own, and twice a task process's; ask for health."""
    writer = JournalWriter.create(tmp_path / "spool", role="supervisor", facts={})
    presence = Presence(
        desk.store,
        HealthFile(writer.directory),
        "gpu",
        own=lambda: own,
        shipped=lambda: Counters(**shipped),
    )
    if own is not NO_TROUBLE:
        presence.hear(TelemetryTrouble(faults=3, last_fault="TypeError at b.py:2", lost=0))
        presence.hear(TelemetryTrouble(faults=0, last_fault="", lost=40))
    presence.show("ready", None)
    found = check(tmp_path / "spool")
    writer.close()
    assert found.ok
    return found.sentence


def test_all_that_was_lost_is_said_in_one_sentence(desk: "Desk", tmp_path: Path) -> None:
    """By the supervisor, by task processes that came and went, and by the shipper."""
    said = sentence(desk, tmp_path, OWN, lost=5, refused=6, unclosed=7)
    assert said == (
        "ready: waiting for tasks; telemetry: 4 faults were contained (the last: KeyError at "
        "a.py:1), 42 records could not be written, 5 journals were deleted unshipped, 6 items were "
        "refused by a backend, 7 journals of the dead could not be closed"
    )


def test_where_nothing_was_lost_nothing_is_said(desk: "Desk", tmp_path: Path) -> None:
    """What waits for a backend is not lost."""
    assert sentence(desk, tmp_path, NO_TROUBLE, behind=9, failures=9) == "ready: waiting for tasks"


def test_health_says_that_an_output_is_uploaded(desk: "Desk", tmp_path: Path) -> None:
    """Whatever else the worker does."""
    writer = JournalWriter.create(tmp_path / "spool", role="supervisor", facts={})
    task = desk.claim().task
    Presence(desk.store, HealthFile(writer.directory), "gpu").show("ready", None, task)
    said = check(tmp_path / "spool")
    writer.close()
    assert said.sentence == (
        f"ready: waiting for tasks; the output of task {task.id} is being uploaded"
    )
    assert said.facts["uploaded_task_id"] == str(task.id)
