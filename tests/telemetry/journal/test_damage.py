"""A journal may be cut or damaged anywhere: the reader loses what was hit, and says so."""

import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import telemetry
from telemetry.errors import JournalTooNew
from telemetry.journal import JournalReader, JournalWriter
from telemetry.journal.directory import journal_file
from telemetry.journal.format import (
    MAGIC,
    SYNC,
    Frame,
    ProcessFacts,
    pack_frame,
    pack_header,
    scan,
)
from telemetry.records import Kind, SpanEnd

from .conftest import append_ends

ROOT = Path(telemetry.__file__).parents[1]
RECORDS = 12


class Whole(NamedTuple):
    """An undamaged journal of one file, and where its records are."""

    directory: Path
    data: bytes
    frames: list[Frame]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Write the journal that the tests damage copies of."""
    spool = tmp_path_factory.mktemp("spool")
    writer = JournalWriter.create(spool, role="task", facts={"device": "cpu"})
    append_ends(writer, RECORDS)
    writer.close()
    path = journal_file(writer.directory, 1)
    with path.open("rb") as file:
        frames = [part for part in scan(file, 0) if isinstance(part, Frame)]
    return Whole(writer.directory, path.read_bytes(), frames)


@pytest.fixture(scope="module")
def broken(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the journal's directory to write damaged files into."""
    directory = tmp_path_factory.mktemp("broken") / whole.directory.name
    shutil.copytree(whole.directory, directory)
    return directory


def read(directory: Path, data: bytes) -> tuple[list[int], JournalReader]:
    """Return the numbers of the records in a damaged file; each must be as it was written."""
    journal_file(directory, 1).write_bytes(data)
    reader = JournalReader(directory)
    seqs = []
    for record in reader.read():
        assert record.body.end_ns == record.seq
        seqs.append(record.seq)
    return seqs, reader


def test_a_cut_at_any_byte_costs_the_torn_record_alone(whole: Whole, broken: Path) -> None:
    """Every length of the file is tried."""
    for length in range(len(whole.data) + 1):
        seqs, reader = read(broken, whole.data[:length])
        kept = [frame for frame in whole.frames if frame.end <= length]
        assert seqs == [frame.seq for frame in kept], f"cut at {length}"
        assert (reader.gaps, reader.damaged_bytes) == ([], 0)
        if kept:
            assert reader.tail_bytes == length - kept[-1].end


def test_a_record_torn_before_others_is_skipped(whole: Whole, broken: Path) -> None:
    """And its number is reported as missing."""
    # What a full disk leaves when it takes half a record and has room again later.
    torn, following = whole.frames[5], whole.data[whole.frames[5].end :]
    for length in range(torn.end - torn.start):
        seqs, reader = read(broken, whole.data[: torn.start + length] + following)
        assert seqs == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]
        assert reader.gaps == [(6, 6)]
        assert reader.damaged_bytes == length


flips = st.lists(st.tuples(st.integers(min_value=0), st.integers(1, 255)), min_size=1, max_size=6)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(flips=flips)
@example(flips=[(9, 1)])  # the header's version
@example(flips=[(10, 255)])  # the header's length
@example(flips=[(0, 1)])  # its magic
def test_flipped_bytes_cost_the_records_they_hit(
    whole: Whole, broken: Path, flips: list[tuple[int, int]]
) -> None:
    """Any bytes, the header's among them; the gaps name exactly what is missing."""
    data = bytearray(whole.data)
    for at, mask in flips:
        data[at % len(data)] ^= mask
    changed = {at for at, (a, b) in enumerate(zip(data, whole.data, strict=True)) if a != b}
    untouched = [f.seq for f in whole.frames if not changed & set(range(f.start, f.end))]

    seqs, reader = read(broken, bytes(data))

    assert seqs == untouched
    assert reader.facts.role == "task"
    last = seqs[-1] if seqs else 0
    missing = {n for first, until in reader.gaps for n in range(first, until + 1)}
    assert missing == set(range(1, last + 1)) - set(seqs)


@settings(max_examples=150, deadline=None)
@given(
    junk=st.binary(max_size=200).flatmap(lambda junk: st.sampled_from([junk, SYNC + junk])),
    after=st.integers(0, RECORDS - 1),
)
def test_junk_between_records_costs_none(
    whole: Whole, broken: Path, junk: bytes, after: int
) -> None:
    """Not even junk that begins like a record."""
    at = whole.frames[after].start

    seqs, reader = read(broken, whole.data[:at] + junk + whole.data[at:])

    assert seqs == list(range(1, RECORDS + 1))
    assert (reader.gaps, reader.damaged_bytes) == ([], len(junk))


def test_the_torn_end_of_a_file_before_another_is_damage(whole: Whole, broken: Path) -> None:
    """The supervisor goes on in a new file after a death; the torn record had a number."""
    directory = broken.parent / "two" / broken.name
    shutil.copytree(broken, directory)
    journal_file(directory, 1).write_bytes(whole.data[:-5])
    again = JournalWriter.reopen(directory)
    append_ends(again, 1)
    again.close()

    reader = JournalReader(directory)

    assert [record.seq for record in reader.read()] == [*range(1, RECORDS), RECORDS + 1]
    assert reader.gaps == [(RECORDS, RECORDS)]
    last = whole.frames[-1]
    assert reader.damaged_bytes == last.end - last.start - 5


def test_a_record_that_is_being_written_is_read_once_it_is_whole(
    whole: Whole, broken: Path
) -> None:
    """A follower waits, it does not skip."""
    half = whole.frames[-1].start + 9
    seqs, reader = read(broken, whole.data[:half])
    journal_file(broken, 1).write_bytes(whole.data)

    assert seqs == list(range(1, RECORDS))
    assert [record.seq for record in reader.read()] == [RECORDS]
    assert reader.damaged_bytes == 0


def test_a_newer_version_is_refused_with_its_file_and_version(tmp_path: Path) -> None:
    """One clear error, before anything is misread."""
    facts = ProcessFacts(id="x", role="task", pid=1, started_ns=1)
    directory = tmp_path / "x"
    directory.mkdir()
    path = journal_file(directory, 1)
    path.write_bytes(with_version(pack_header(facts), 2))

    with pytest.raises(JournalTooNew) as caught:
        JournalReader(directory)

    assert str(path) in str(caught.value)
    assert "version 2" in str(caught.value)


def test_kinds_that_are_not_known_are_skipped(tmp_path: Path) -> None:
    """A skipped record is no gap."""
    directory = tmp_path / "x"
    directory.mkdir()
    end = msgspec.msgpack.encode(SpanEnd(span_id=b"s" * 8, end_ns=1, status=0))
    header = pack_header(ProcessFacts(id="x", role="task", pid=1, started_ns=1))
    parts = [header, pack_frame(Kind.SPAN_END, 1, end), pack_frame(200, 2, b"?")]
    parts.append(pack_frame(Kind.SPAN_END, 3, end))
    journal_file(directory, 1).write_bytes(b"".join(parts))

    reader = JournalReader(directory)

    assert [record.seq for record in reader.read()] == [1, 3]
    assert (reader.gaps, reader.damaged_bytes) == ([], 0)


@pytest.mark.parametrize("body", [b"\xc0", b"\x91" * 100_000 + b"\xc0"], ids=["none", "deep"])
def test_a_record_that_is_none_of_its_kind_is_missing(tmp_path: Path, body: bytes) -> None:
    """Its bytes are as they were written, and say nothing that is known, or nothing readable."""
    directory = tmp_path / "x"
    directory.mkdir()
    header = pack_header(ProcessFacts(id="x", role="task", pid=1, started_ns=1))
    journal_file(directory, 1).write_bytes(header + pack_frame(Kind.SPAN_BEGIN, 1, body))

    reader = JournalReader(directory)

    assert list(reader.read()) == []
    assert reader.gaps == [(1, 1)]


def test_fields_that_a_newer_version_added_are_ignored(tmp_path: Path) -> None:
    """Fields are only ever added at the end."""
    directory = tmp_path / "x"
    directory.mkdir()
    newer = msgspec.msgpack.encode([b"s" * 8, 7, 0, "", {}, {"added": 1}])
    header = pack_header(ProcessFacts(id="x", role="task", pid=1, started_ns=1))
    journal_file(directory, 1).write_bytes(header + pack_frame(Kind.SPAN_END, 1, newer))

    (record,) = JournalReader(directory).read()

    assert record.body == SpanEnd(span_id=b"s" * 8, end_ns=7, status=0)


# A process whose disk fills up in the middle of a record, and has room again later.
_FULL = """
import resource, sys
from pathlib import Path
from telemetry.journal import JournalWriter
from telemetry.journal.directory import journal_file
from telemetry.records import Kind, SpanEnd

writer = JournalWriter.create(Path(sys.argv[1]), role="task", facts={})
def append(text):
    writer.append(Kind.SPAN_END, SpanEnd(span_id=b"12345678", end_ns=1, status=0, description=text))
append("before")
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
size = journal_file(writer.directory, 1).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 25, unlimited[1]))
for _ in range(3):
    append("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
append("after")
append("last")
print(writer.lost)
"""


@pytest.fixture
def filled(tmp_path: Path) -> tuple[int, JournalReader]:
    """Run the process; return how many records it lost, and a reader of its journal."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (directory,) = tmp_path.iterdir()
    return int(done.stdout), JournalReader(directory)


def test_a_full_disk_loses_records_and_raises_nothing(filled: tuple[int, JournalReader]) -> None:
    """The kernel refuses the bytes, one record in the middle."""
    lost, reader = filled
    texts = [r.body.description for r in reader.read() if r.kind is Kind.SPAN_END]

    assert texts == ["before", "after", "last"]
    assert lost == 3
    assert reader.gaps == [(2, 4)]


def test_what_a_full_disk_lost_is_told_in_the_journal(filled: tuple[int, JournalReader]) -> None:
    """Once there is room again."""
    _, reader = filled
    (log,) = [record.body for record in reader.read() if record.kind is Kind.LOG]

    assert "3 records could not be written" in log.message


# A process whose disk is full to its end, in the middle of a record or between two.
_FULL_TO_THE_END = """
import os, resource, sys
from pathlib import Path
from telemetry.journal import JournalWriter
from telemetry.journal.directory import journal_file
from telemetry.records import Kind, SpanEnd

writer = JournalWriter.create(Path(sys.argv[1]), role="task", facts={})
def append():
    writer.append(Kind.SPAN_END, SpanEnd(span_id=b"12345678", end_ns=1, status=0))
append()
size = journal_file(writer.directory, 1).stat().st_size + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
for _ in range(100):
    append()
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("room", [0, 25], ids=["between two records", "inside of one"])
def test_what_was_lost_last_is_missing_too(tmp_path: Path, room: int) -> None:
    """No record comes after it that tells by its number; the slate does, whose place was paid."""
    command = [sys.executable, "-c", _FULL_TO_THE_END, str(tmp_path), str(room)]
    subprocess.run(command, cwd=ROOT, check=False)
    (directory,) = tmp_path.iterdir()
    again = JournalWriter.reopen(directory)
    append_ends(again, 1)
    again.close()

    reader = JournalReader(directory)

    assert [record.seq for record in reader.read()] == [1, 102]
    assert reader.gaps == [(2, 101)]


def with_version(header: bytes, version: int) -> bytes:
    """Return a header as a newer version would write it, its checksum included."""
    body = header[18:]
    checked = struct.pack(">HI", version, len(body)) + body
    return MAGIC + checked[:6] + struct.pack(">I", zlib.crc32(checked)) + body
