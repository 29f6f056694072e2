"""A black box: all that an investigation of one failed task is made from, in one compressed file.

```
header   magic 8 | version u16 | length u32 | sha256 32 (of version, length and body)
body     zlib of one MessagePack map, which `_Content` describes
```

Numbers are big-endian; the header is the same in every version. Structs are maps: a field may be
added with a default, never renamed or removed, so that old black boxes stay readable. Those that
are arrays, the records of a journal, grow at their end alone; events and links do not grow.

zlib and not lzma: of a real case of 95 KB, 14 KB in 1.3 ms, where lzma makes 12 KB in 4 to 27 ms.
"""

import hashlib
import os
import re
import secrets
import stat
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import msgspec

from telemetry.errors import (
    BlackBoxDamaged,
    BlackBoxTooLarge,
    BlackBoxTooNew,
    BlackBoxUnreadable,
    NotABlackBox,
)
from telemetry.reports.case import Case
from telemetry.reports.progress import moment
from telemetry.reports.sources.cuts import CUTS
from telemetry.reports.sources.msgpack_size import count_values
from telemetry.reports.trace import TraceModel
from telemetry.reports.wording import one_line

SUFFIX: Final = ".blackbox"
MAGIC: Final = b"\x89LOOP26B"
VERSION: Final = 1
# What one may hold, and so what reading one costs: a task's own record is a thousandth of it, and
# a value takes some 70 bytes of memory.
MOST_BYTES: Final = 16 * 2**20
MOST_VALUES: Final = 2_000_000
MOST_FILE_BYTES: Final = MOST_BYTES + 2**20
UNKNOWN: Final = (
    "What came after it was written is not in it: later attempts, what became of the relatives.",
    "Which other failures are the same is known up to then, and of the queue it was written from.",
    "The last run that went well and the failure before are other tasks', and are not in it.",
)

_HEADER: Final = struct.Struct(">8sHI32s")
_CHECKED: Final = struct.Struct(">HI")
_COMPRESSION: Final = 6
_LONGEST_REASON: Final = 160
_LATEST_NS: Final = 2**63
_DEEPEST: Final = 64  # a frame's locals lie a dozen deep, and are recorded a dozen deeper
_JSON_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a black box; `cut` are sentences on what had to be left out for its size."""

    written_ns: int
    case: Case
    cut: list[str] = []


def write(case: Case, path: Path, *, written_ns: int | None = None) -> None:
    """Write a black box, whole or not at all; whatever was at the path before is replaced.

    It holds the task, its journey's record and its relatives, and no other task's record: neither
    `good` nor `previous`. Of a case that is too large the logs are cut first; it says so. Its mode
    is 0600, for it holds parameters and locals.

    Raises:
        BlackBoxTooLarge: What must be in it is more than may be.
        OSError: It cannot be written there.
    """
    body = zlib.compress(_fitted(case, path, written_ns or time.time_ns()), _COMPRESSION)
    unfinished = path.with_name(f".{secrets.token_hex(8)}{SUFFIX}.new")
    try:
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(_HEADER.pack(MAGIC, VERSION, len(body), _digest(VERSION, body)) + body)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read(path: Path) -> Case:
    """Read a black box; its `source` and `unknown` say what it is, and what it cannot know.

    Whoever wrote it, nothing of it is run and no path in it is followed; the memory that this takes
    is bounded. The command to replay is left out: a stranger's is not for anyone to run.

    Raises:
        BlackBoxUnreadable: It is not there, no file, or not for this user.
        NotABlackBox: It is another kind of file.
        BlackBoxTooNew: It is of a newer version.
        BlackBoxDamaged: It is cut, or any byte of it is not as it was written.
        BlackBoxTooLarge: It holds more than one may, or is made to look small.
    """
    content = _decoded(_unpacked(_contents(path), path), path)
    case, written = content.case, moment(content.written_ns)
    return replace(
        case,
        source=f"the black box {path}, written {written} from {case.source}",
        unknown=[*case.unknown, *UNKNOWN, *content.cut],
        replay="",
    )


def _fitted(case: Case, path: Path, written_ns: int) -> bytes:
    """Return the encoded case, with as little cut out of it as its size demands."""
    content = _Content(written_ns=written_ns, case=replace(case, good=None, previous=None))
    encoded = _encoded(content)
    for cut in CUTS:
        if _fits(encoded):
            break
        smaller, said = cut(content.case)
        if said:
            content = msgspec.structs.replace(content, case=smaller, cut=[*content.cut, said])
            encoded = _encoded(content)
    if not _fits(encoded):
        raise BlackBoxTooLarge(path, f"{len(encoded):,} bytes with everything cut that may be")
    return encoded


def _fits(encoded: bytes) -> bool:
    return len(encoded) <= MOST_BYTES and count_values(encoded, MOST_VALUES) <= MOST_VALUES


def _encoded(content: _Content) -> bytes:
    """Encode a case; a queue's row may hold what MessagePack does not: that is written as text."""
    try:
        return msgspec.msgpack.encode(content)
    except (TypeError, ValueError, OverflowError):
        plain = _plain(msgspec.to_builtins(content, builtin_types=(bytes,), enc_hook=_named))
        return msgspec.msgpack.encode(plain)


def _named(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _plain(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_plain(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case int() if not -_LATEST_NS <= value < 2 * _LATEST_NS:
            return str(value)
        case _:
            return value


def _digest(version: int, body: bytes) -> bytes:
    return hashlib.sha256(_CHECKED.pack(version, len(body)) + body).digest()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # the name is there; some file systems cannot make sure of it
        file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _contents(path: Path) -> bytes:
    """Read a file that may be anything: no more of it than a black box may have."""
    try:
        # A pipe that nobody writes to is not waited for.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as opened:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise BlackBoxUnreadable(path, "it is no file")
            found = opened.read(MOST_FILE_BYTES + 1)
    except IsADirectoryError:
        raise BlackBoxUnreadable(path, "it is a folder") from None
    except (OSError, ValueError) as error:  # a path may have a NUL in it
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise BlackBoxUnreadable(path, reason) from error
    if not found.startswith(MAGIC) and not MAGIC.startswith(found):
        raise NotABlackBox(path)
    if len(found) > MOST_FILE_BYTES:
        raise BlackBoxTooLarge(path, f"more than {MOST_FILE_BYTES:,} bytes, which none has")
    return found


def _unpacked(found: bytes, path: Path) -> bytes:
    """Check what was read against its header, and decompress it."""
    if len(found) < _HEADER.size:
        raise BlackBoxDamaged(path, f"it ends after {len(found):,} bytes, within its header")
    _, version, length, digest = _HEADER.unpack_from(found)
    body = found[_HEADER.size :]
    if len(body) != length or _digest(version, body) != digest:
        cut = f"it ends after {len(body):,} of {length:,} bytes"
        wrong = "its checksum is not that of its bytes"
        raise BlackBoxDamaged(path, cut if len(body) < length else wrong)
    if version > VERSION:
        raise BlackBoxTooNew(path, version, VERSION)
    return _decompressed(body, path)


def _decompressed(body: bytes, path: Path) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise BlackBoxDamaged(path, f"it cannot be decompressed ({error})") from None
    if len(raw) > MOST_BYTES:
        raise BlackBoxTooLarge(path, f"it holds more than {MOST_BYTES:,} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise BlackBoxDamaged(path, "what is compressed in it does not end where the file does")
    return raw


def _decoded(raw: bytes, path: Path) -> _Content:
    if count_values(raw, MOST_VALUES) > MOST_VALUES:
        raise BlackBoxTooLarge(path, f"it holds more than {MOST_VALUES:,} values")
    try:
        content = msgspec.msgpack.decode(raw, type=_Content, ext_hook=_refused)
        # Keys and values that no report can show have no place in it.
        shown = msgspec.json.encode(content)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = one_line(f"it holds no case ({error})", _LONGEST_REASON)
        raise BlackBoxDamaged(path, reason) from error
    if _depth(shown) > _DEEPEST:
        raise BlackBoxDamaged(path, f"its values are nested more than {_DEEPEST} deep")
    if not all(0 <= at_ns < _LATEST_NS for at_ns in _times(content)):
        raise BlackBoxDamaged(path, "it holds times that are none")
    return content


def _depth(document: bytes) -> int:
    """Return how deep the values of a JSON document are nested."""
    brackets = _JSON_TEXT.sub(b"", document).translate(None, _NO_BRACKETS)
    return max(accumulate(1 if one in b"[{" else -1 for one in brackets), default=0)


def _refused(code: int, _data: memoryview) -> Any:
    raise ValueError(f"extension {code} has no place in it")


def _times(content: _Content) -> Iterator[int]:
    yield content.written_ns
    yield from (event.at_ns for event in content.case.events)
    if content.case.model is not None:
        yield from _times_of(content.case.model)


def _times_of(model: TraceModel) -> Iterator[int]:
    for part in model.processes:
        yield part.facts.started_ns
        for span in part.spans:
            yield from (span.start_ns, span.end_ns or 0)
            yield from (event.at_ns for event in span.events)
        yield from (one.at_ns for records in (part.logs, part.errors) for one in records)
        yield from (one.at_ns for task in part.tasks for one in task if one is not None)
        yield part.end.at_ns if part.end else 0
