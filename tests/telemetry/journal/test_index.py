"""The index of a journal, damaged: what it says of the tasks is never wrong."""

from pathlib import Path

import pytest

from telemetry.journal import JournalWriter, read_index
from telemetry.journal.directory import INDEX
from telemetry.records import Kind, TaskBegin, TaskEnd

from .conftest import append_ends


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Write a journal of three tasks, the last of which has not ended."""
    writer = JournalWriter.create(tmp_path, role="task", facts={})
    append_ends(writer, 1)
    for task_id in ("aa", "bb", "cc"):
        begin = TaskBegin(
            task_id=task_id,
            attempt=1,
            task_type="t2v",
            trace_id=task_id.encode() * 8,
            worker_id="w",
            at_ns=1,
        )
        writer.append(Kind.TASK_BEGIN, begin)
        append_ends(writer, 2)
        if task_id != "cc":
            end = TaskEnd(task_id=task_id, attempt=1, at_ns=2, outcome="Done")
            writer.append(Kind.TASK_END, end)
    writer.close()
    return writer.directory


def test_a_flipped_bit_changes_nothing_that_is_said(journal: Path) -> None:
    """Each is tried: of digits, names and text that is none; the journal itself is read then."""
    undamaged = read_index(journal)
    assert [entry.task_id for entry in undamaged] == ["aa", "bb", "cc"]
    content = (journal / INDEX).read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        (journal / INDEX).write_bytes(damaged)
        assert read_index(journal) == undamaged, f"bit {bit}"


def test_lines_without_a_checksum_are_not_believed(journal: Path) -> None:
    """An older loop26 wrote them."""
    undamaged = read_index(journal)
    line = b'{"task_id":"zz","attempt":1,"trace_id":"","first":[1,0]}'
    (journal / INDEX).write_bytes(line)
    assert read_index(journal) == undamaged


@pytest.mark.parametrize("kept", [0, 2])
def test_tasks_that_a_cut_index_lacks_are_found(journal: Path, kept: int) -> None:
    """It was emptied, or cut between two lines: the newest tasks are the ones that one asks for."""
    undamaged = read_index(journal)
    lines = (journal / INDEX).read_bytes().splitlines(keepends=True)
    (journal / INDEX).write_bytes(b"".join(lines[:kept]))
    assert read_index(journal) == undamaged
