"""Small files whose content is replaced."""

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.journal.files import replace_file


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Return the path of a file that is not there yet."""
    return tmp_path / "note.json"


@pytest.fixture
def no_room(note: Path) -> Iterator[None]:
    """Leave no room for a second file."""
    in_the_way = note.with_name("note.json.new")
    in_the_way.mkdir()
    yield
    in_the_way.rmdir()


def test_a_file_is_made_for_its_owner_and_replaced(note: Path) -> None:
    """Nothing else is left beside it."""
    replace_file(note, b'{"a": 1, "b": 2}')
    replace_file(note, b"{}")
    assert note.read_bytes() == b"{}"
    assert note.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in note.parent.iterdir()] == ["note.json"]


def test_who_has_it_open_reads_the_old_content_to_its_end(note: Path) -> None:
    """Another file is put in its place."""
    replace_file(note, b'{"a": 1}')
    with note.open("rb") as file:
        replace_file(note, b"{}")
        assert file.read() == b'{"a": 1}'


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize("content", [{"a": 1}, {"a": "longer than it was before"}])
def test_without_room_for_a_second_file_the_first_is_written_over(
    note: Path, content: dict[str, object]
) -> None:
    """A block of the disk is its own already; no tail of the old content is left."""
    note.write_text('{"before": 1, "it": 2}')
    replace_file(note, json.dumps(content).encode())
    assert json.loads(note.read_bytes()) == content


@pytest.mark.usefixtures("no_room")
def test_without_room_for_a_first_file_nothing_is_left(note: Path) -> None:
    """There is nothing to write over; what is raised is why there is no first one."""
    with pytest.raises(IsADirectoryError):
        replace_file(note, b"{}")
    assert not note.exists()


def test_a_disk_that_takes_a_part_alone_leaves_the_old_content(tmp_path: Path) -> None:
    """And none of the new file, which would take the room that there is."""
    note = tmp_path / "note.json"
    note.write_bytes(b"{}")
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        try:
            replace_file(note, b"x" * 20)
        except OSError:
            os._exit(3)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert note.read_bytes() == b"{}"
    assert [one.name for one in tmp_path.iterdir()] == ["note.json"]
