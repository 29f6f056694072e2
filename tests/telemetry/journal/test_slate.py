"""The slate takes a few words in place of those before, and no more of the disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.journal import slate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the slate is."""
    return tmp_path / "alive"


@pytest.fixture
def file(path: Path) -> Iterator[int]:
    """Open a slate that has been prepared."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    slate.prepare(file)
    yield file
    os.close(file)


def test_what_is_written_stands_there_until_something_else_does(path: Path, file: int) -> None:
    """In each slot by itself; the file stays as long as it is."""
    size = path.stat().st_size
    assert slate.write(file, slate.DEATH, b"killed")
    slate.write_lost(file, 7)
    slate.write_lost(file, 8)
    assert (slate.read(path, slate.DEATH), slate.read_lost(path)) == (b"killed", 8)
    assert path.stat().st_size == size


def test_a_slate_that_is_prepared_again_keeps_its_words(path: Path, file: int) -> None:
    """Whoever takes the lock of a dead process's journal does that."""
    slate.write_lost(file, 7)
    slate.prepare(file)
    assert slate.read_lost(path) == 7


def test_what_has_no_room_is_not_written(path: Path, file: int) -> None:
    """And spoils nothing beside it."""
    slate.write(file, slate.DEATH, b"killed")
    assert not slate.write(file, slate.LOST, b"x" * slate.LOST.size)
    assert slate.read(path, slate.DEATH) == b"killed"
    assert slate.read_lost(path) == 0


@pytest.mark.parametrize("content", [b"", b"\0" * 512, b"\0" * 65, None])
def test_a_slate_without_words_says_nothing(path: Path, content: bytes | None) -> None:
    """As in a journal of before there were slates."""
    if content is not None:
        path.write_bytes(content)
    assert (slate.read(path, slate.DEATH), slate.read_lost(path)) == (b"", 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 8 * 14 - 1))
def test_words_that_are_damaged_are_none(path: Path, file: int, bit: int) -> None:
    """A number that is wrong would make a hole of its size."""
    slate.write_lost(file, 7)
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert slate.read_lost(path) == 0
