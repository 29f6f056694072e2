"""Videos of earlier tasks, as files on this machine."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from worker.inputs.fetch import Wanted, fetch, go_on
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import input_error

MAX_VIDEO_BYTES = 20_000_000_000
_MATROSKA = b"\x1a\x45\xdf\xa3"  # WebM too
_BOX_HEAD, _LARGE_BOX_HEAD = 8, 16  # length and type; a length of 64 bits after them
_NEEDED = {b"ftyp", b"moov"}
_MAX_BOXES = 100_000  # a video sent in fragments has two for each


def fetch_video(location: str, policy: InputPolicy, *, check: Callable[[], None] = go_on) -> Path:
    """Return the output of an earlier task, a local path or a URL, as a file.

    A local one may also lie among this worker's own outputs.

    Raises:
        InputError: It is not there, cannot be downloaded, or is no whole MP4 or WebM file.
    """

    def verify(path: Path) -> None:
        check_video(path, source=location)

    return fetch(
        Wanted(source=location, max_bytes=MAX_VIDEO_BYTES, verify=verify, check=check),
        _with_outputs(policy),
    )


def check_video(path: Path, *, source: str) -> None:
    """Check by its outline that a file is a video: nothing is decoded.

    The demuxers of other formats stay closed: a playlist would have one read other files.

    Raises:
        InputError: It is neither WebM nor MP4, or an MP4 that is cut off; names `source`.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_LARGE_BOX_HEAD)
            if head.startswith(_MATROSKA):
                return
            if head[4:8] != b"ftyp":
                problem = f"it begins with {head!r}, as no MP4 and no WebM file does"
                raise input_error(source, f"is no video that can be joined: {problem}")
            missing = _NEEDED - _boxes(file, size)
    except OSError as error:
        raise input_error(source, f"cannot be read: {error}") from error
    if missing:
        raise input_error(source, "is no video that can be joined: the MP4 file is cut off")


def _boxes(file: BinaryIO, size: int) -> set[bytes]:
    """Return the types of an MP4's outer boxes, which lie one after another (ISO 14496-12, 4.2).

    Empty when they do not end where the file does.
    """
    found: set[bytes] = set()
    place = 0
    for _ in range(_MAX_BOXES):
        if place >= size:
            break
        file.seek(place)
        head = file.read(_LARGE_BOX_HEAD)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:])
        elif length == 0:  # the last one, to the end
            length = size - place
        if length < _BOX_HEAD:
            return set()
        found.add(head[4:8])
        place += length
    return found if place == size else set()


def _with_outputs(policy: InputPolicy) -> InputPolicy:
    if policy.local_roots is None or policy.outputs_dir is None:
        return policy
    return dataclasses.replace(policy, local_roots=(*policy.local_roots, policy.outputs_dir))
