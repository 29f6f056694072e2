"""Which journals have ended, and who may close or delete them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.journal import JournalReader, JournalWriter, process_directories
from telemetry.journal.directory import ENDED, is_marked_ended, journal_files
from telemetry.records import Kind, ProcessEnd
from telemetry.shipper import Shipper
from telemetry.shipper import spool as spool_module

END = ProcessEnd(at_ns=1, kind="exit", exit_code=0, message="")


def ended(spool: Path) -> Path:
    """Make the journal of a process that has ended."""
    writer = JournalWriter.create(spool, role="cli", facts={})
    writer.append(Kind.PROCESS_END, END)
    writer.close()
    return writer.directory


def cut_off(spool: Path) -> Path:
    """Make the journal of a process that has died."""
    writer = JournalWriter.create(spool, role="cli", facts={})
    writer.close()
    return writer.directory


def test_whether_a_process_has_ended_is_read_from_the_last_file(new_script: Any) -> None:
    """A spool of gigabytes is not read for it."""
    script = new_script(rotate_bytes=100)
    for number in range(5):
        script.span(f"span {number}", 0, 1)
    assert not spool_module.has_ended(script.directory)
    script.end_process()
    assert len(list(script.directory.glob("*.journal"))) > 1
    assert spool_module.has_ended(script.directory)


def test_a_journal_that_another_worker_ships_is_not_deleted(spool: Path) -> None:
    """It is being read."""
    directory = ended(spool)
    lock = spool_module.ShippingLock.take(directory)
    assert lock is not None
    assert not spool_module.delete(directory)
    lock.release()
    assert spool_module.delete(directory)


def test_a_journal_that_is_marked_as_ended_is_not_read(spool: Path) -> None:
    """There may be thousands of them."""
    directory = ended(spool)
    for file in journal_files(directory).values():
        file.write_bytes(b"nobody looks here")
    assert spool_module.has_ended(directory)
    assert spool_module.leftovers(spool) == []


def test_an_end_without_its_mark_is_found_and_marked(spool: Path) -> None:
    """The process was killed between the two, or is of an older loop26."""
    directory = ended(spool)
    (directory / ENDED).unlink()
    assert spool_module.leftovers(spool) == []
    assert is_marked_ended(directory)


def test_what_is_closed_is_marked_as_ended(spool: Path) -> None:
    """The next supervisor has nothing to read."""
    directory = cut_off(spool)
    assert spool_module.leftovers(spool) == [directory]
    assert Shipper(spool).adopt() == [directory]
    assert is_marked_ended(directory)


def test_an_emptied_directory_is_no_leftover(spool: Path) -> None:
    """There is nothing to close in it."""
    directory = cut_off(spool)
    for file in journal_files(directory).values():
        file.unlink()
    assert spool_module.leftovers(spool) == []


ADOPT = """
import resource, sys
from pathlib import Path
from telemetry.shipper import Shipper
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
shipper = Shipper(Path(sys.argv[1]))
print(len(shipper.adopt()), shipper.counters.unclosed)
"""


@pytest.mark.parametrize("room", ["none", "for the header of a file alone"])
def test_a_full_disk_leaves_journals_unclosed_and_the_supervisor_alive(
    spool: Path, room: str
) -> None:
    """Each is counted, and closed by the next that has room."""
    left = [cut_off(spool), cut_off(spool)]
    header = journal_files(left[0])[1].stat().st_size
    limit = 0 if room == "none" else header + 20
    command = [sys.executable, "-c", ADOPT, str(spool), str(limit)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "2"]
    assert Shipper(spool).adopt() == left
    ends = [list(JournalReader(one).read())[-1].body for one in left]
    assert [end.kind for end in ends] == ["lost", "lost"]


def test_half_a_deleted_journal_is_no_journal(spool: Path) -> None:
    """Whoever is killed while deleting leaves it under another name; the next removes it."""
    directory = ended(spool)
    directory.rename(spool / f".old-{directory.name}")
    assert process_directories(spool) == []
    Shipper(spool).retain()
    assert list(spool.iterdir()) == []
