"""What the directory of a journal tells without the journal being read."""

import shutil
from pathlib import Path

import pytest

from telemetry.journal import JournalReader, JournalWriter, Position, process_directories
from telemetry.journal import read_index as indexed
from telemetry.journal.directory import ENDED, INDEX, is_marked_ended, journal_file, journal_files
from telemetry.records import Kind, ProcessEnd, TaskBegin, TaskEnd

from .conftest import append_ends

END = ProcessEnd(at_ns=9, kind="exit", exit_code=0)


def test_the_end_of_a_process_leaves_a_mark(writer: JournalWriter) -> None:
    """Nobody has to read a journal to know that it has ended."""
    assert not is_marked_ended(writer.directory)
    writer.append(Kind.PROCESS_END, END)
    assert is_marked_ended(writer.directory)


def test_an_end_that_cannot_be_marked_is_written_all_the_same(writer: JournalWriter) -> None:
    """The mark saves reading; the record is what counts."""
    (writer.directory / ENDED).symlink_to(writer.directory / "nowhere" / "x")
    assert writer.append(Kind.PROCESS_END, END) == 1
    assert [record.body for record in JournalReader(writer.directory).read()] == [END]


def test_the_spool_of_a_volume_of_its_own_is_listed(writer: JournalWriter) -> None:
    """What is no journal by its name is not looked into: `lost+found` cannot be."""
    spool = writer.directory.parent
    (spool / "lost+found").mkdir()
    journal_file(spool / "lost+found", 1).touch()
    (spool / "20260101T000000.000000Z-note.txt").touch()
    assert process_directories(spool) == [writer.directory]


def test_a_spool_is_listed_without_looking_into_the_journals(
    writer: JournalWriter, tmp_path: Path
) -> None:
    """An emptied directory is listed as well: its name says what it was."""
    writer.close()
    (writer.directory / "000001.journal").unlink()
    assert process_directories(tmp_path / "spool") == [writer.directory]


@pytest.fixture
def shortened(writer: JournalWriter) -> Path:
    """Write two tasks over several files, and delete those of the first task."""
    for name in ("first", "second"):
        task = TaskBegin(
            task_id=name, attempt=1, task_type="t2v", trace_id=b"t" * 16, worker_id="w", at_ns=1
        )
        writer.append(Kind.TASK_BEGIN, task)
        append_ends(writer, 100)
        writer.append(Kind.TASK_END, TaskEnd(task_id=name, attempt=1, at_ns=2, outcome="Done"))
        append_ends(writer, 60)
    second = indexed(writer.directory)[1].first.file
    for number, file in journal_files(writer.directory).items():
        if number < second:
            file.unlink()
    return writer.directory


def test_files_that_retention_took_are_no_gap(shortened: Path) -> None:
    """They were taken on purpose; a missing record among those that are left still shows."""
    reader = JournalReader(shortened)
    assert list(reader.read())
    assert reader.gaps == []


def test_every_file_says_whose_it_is(shortened: Path, writer: JournalWriter) -> None:
    """Whichever of them are left."""
    assert JournalReader(shortened).facts == writer.facts


def test_tasks_whose_files_retention_took_are_not_indexed(shortened: Path) -> None:
    """A report on one would be empty."""
    assert [entry.task_id for entry in indexed(shortened)] == ["second"]


def test_a_task_that_is_left_is_read_whole(shortened: Path) -> None:
    """Its files stand where its entry says."""
    [entry] = indexed(shortened)
    read = list(JournalReader(shortened).read(start=entry.first, stop=entry.last))
    assert (read[0].kind, read[-1].kind) == (Kind.TASK_BEGIN, Kind.TASK_END)
    assert len(read) == 102


def test_a_gap_among_the_files_that_are_left_still_shows(shortened: Path) -> None:
    """Only the oldest are ever taken."""
    numbers = list(journal_files(shortened))
    journal_file(shortened, numbers[1]).unlink()
    reader = JournalReader(shortened)
    assert list(reader.read(start=Position(0, 0)))
    assert len(reader.gaps) == 1


def test_an_index_outlives_its_journal(writer: JournalWriter) -> None:
    """Deleted at this moment by another worker."""
    shutil.rmtree(writer.directory)
    assert indexed(writer.directory) == []


@pytest.mark.parametrize("indexed_as", ["written", "scanned"])
def test_an_attempt_that_comes_again_is_the_newest(writer: JournalWriter, indexed_as: str) -> None:
    """A task that was given back may be claimed again, as the same attempt."""
    for name in ("a", "b", "a"):
        task = TaskBegin(
            task_id=name, attempt=1, task_type="t2v", trace_id=b"t" * 16, worker_id="w", at_ns=1
        )
        writer.append(Kind.TASK_BEGIN, task)
    if indexed_as == "scanned":
        (writer.directory / INDEX).unlink()
    assert [entry.task_id for entry in indexed(writer.directory)] == ["b", "a"]
