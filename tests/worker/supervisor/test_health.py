"""The status file, and what the command makes of it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from telemetry.journal import JournalWriter
from worker.supervisor.health import HEALTH_FILE, HealthFile, check

FACTS = {"state": "ready", "sentence": "waiting for tasks", "pid": 26}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Give the journal's directory of a supervisor that is alive."""
    writer = JournalWriter.create(tmp_path / "spool", role="supervisor", facts={})
    yield writer.directory
    writer.close()


def test_a_supervisor_that_is_stuck_is_not_well(directory: Path) -> None:
    """It is alive, and its file grows old: which process, and since when."""
    HealthFile(directory).write(FACTS)
    assert check(directory.parent).ok
    written = msgspec.json.decode((directory / HEALTH_FILE).read_bytes())
    older = msgspec.json.encode(written | {"at": written["at"] - 31})
    (directory / HEALTH_FILE).write_bytes(older)
    found = check(directory.parent)
    assert (found.ok, found.sentence) == (False, "the supervisor (pid 26) has not moved for 31 s")


def test_a_disk_without_room_for_a_second_file_gets_the_status_in_the_first(
    directory: Path,
) -> None:
    """A worker that goes on working is not taken for a stuck one."""
    file = HealthFile(directory)
    file.write(FACTS | {"sentence": "a sentence that is longer than the one that follows it"})
    (directory / HEALTH_FILE).with_suffix(".new").mkdir()
    file.write(FACTS)
    assert check(directory.parent).sentence == "ready: waiting for tasks"
