"""A journal that cannot begin yet leaves nothing behind, and begins once it can."""

import os
import time
from pathlib import Path

import pytest

from telemetry.journal import JournalReader, JournalWriter, is_alive, process_directories
from telemetry.journal.directory import UNFINISHED, this_process
from telemetry.journal.opening import open_new
from telemetry.records import Kind, ProcessEnd

END = ProcessEnd(at_ns=1, kind="exit", exit_code=0)


def open_files() -> int:
    """Count this process's descriptors."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """Return a directory whose name is taken, so that the last step of opening it fails."""
    directory = tmp_path / "spool" / "journal"
    (directory / "something").mkdir(parents=True)
    return directory


def test_a_directory_that_cannot_be_made_can_be_made_later(taken: Path) -> None:
    """The first try leaves no descriptor, and no lock that the next would wait for."""
    facts = this_process("task", taken.name, "1")
    before = open_files()
    for _ in range(3):
        with pytest.raises(OSError, match="not empty"):
            open_new(taken, facts)
    assert open_files() == before

    (taken / "something").rmdir()
    alive, file = open_new(taken, facts)
    assert is_alive(taken)
    assert JournalReader(taken).facts == facts
    assert not taken.with_name(f"{UNFINISHED}{taken.name}").exists()
    os.close(alive)
    os.close(file.descriptor)


def test_a_writer_counts_until_its_journal_can_begin(tmp_path: Path) -> None:
    """Whatever is in the way: here a file where its spool should be."""
    spool = tmp_path / "spool"
    spool.touch()
    writer = JournalWriter.create(spool, role="task", facts={}, patient=True)
    for _ in range(3):
        writer.append(Kind.PROCESS_END, END)
    assert (writer.lost, writer.next_seq) == (3, 4)

    spool.unlink()
    deadline = time.monotonic() + 20
    while not process_directories(spool) and time.monotonic() < deadline:
        writer.append(Kind.PROCESS_END, END)
    lost = writer.lost
    writer.close()

    [directory] = process_directories(spool)
    reader = JournalReader(directory)
    end, log = reader.read()
    assert end.seq == lost + 1
    assert reader.gaps == [(1, lost)]
    assert log.body.attributes == {"loop26.journal.lost": lost}


def test_a_lock_that_is_held_is_waited_for_like_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is raised, and what is lost is counted."""
    monkeypatch.setattr("telemetry.journal.writer._TRY_EVERY_S", 0.0)
    spool = tmp_path / "spool"
    spool.touch()
    writer = JournalWriter.create(spool, role="task", facts={}, patient=True)
    spool.unlink()
    name = writer.directory.name
    other = spool / f"{UNFINISHED}{name}"
    other.mkdir(parents=True)
    alive, file = open_new(spool / "other", this_process("task", "other", "1"))
    os.link(spool / "other" / "alive", other / "alive")

    writer.append(Kind.PROCESS_END, END)
    assert writer.lost == 1
    os.close(alive)
    os.close(file.descriptor)
    writer.append(Kind.PROCESS_END, END)
    writer.close()
    assert next(record.seq for record in JournalReader(writer.directory).read()) == 2
