"""A video that an engine has encoded itself, taken over as it is: its streams are copied."""

import re
from collections.abc import Mapping
from pathlib import Path

from worker.errors import OutputError
from worker.video import ffmpeg
from worker.video.files import place_video
from worker.video.probing import VideoFacts

# Boxes of an MP4 begin with their length; the first is the file's type.
_TYPE_AT, _TYPE = 4, b"ftyp"


def copy_video(
    source: Path, path: Path, *, asked: VideoFacts, metadata: Mapping[str, str]
) -> VideoFacts:
    """Copy the pictures and the sound of a video, with other metadata, to play while it loads.

    The source stays as it is. The pictures are bit for bit its own.

    Args:
        source: H.264 in MP4, 8 bits in 4:2:0, which every player takes.
        path: Replaced when it is there; never a half-written file.
        asked: What the video must be.
        metadata: In place of the source's.

    Raises `OutputError` where the source is anything else, or cannot be copied.
    """
    _refuse_other_kinds(source)

    def copy(partial: Path, notes: Path) -> VideoFacts:
        ffmpeg.run(
            [
                "-y", "-i", str(source), "-f", "ffmetadata", "-i", str(notes),
                "-map", "0:v:0", "-map", "0:a?", "-map_metadata", "1", "-map_chapters", "-1",
                "-c", "copy", "-movflags", "+faststart", "-f", "mp4", str(partial),
            ],
            doing=f"video {str(source)!r} cannot be copied",
        )  # fmt: skip
        return asked

    return place_video(path, metadata, copy)


def _refuse_other_kinds(source: Path) -> None:
    """Look at the first picture, as it is stored and as it is decoded."""
    listing = ffmpeg.run(
        [
            "-i", str(source), "-map", "0:v:0", "-map", "0:v:0", "-c:v:0", "copy",
            "-c:v:1", "rawvideo", "-frames:v", "1", "-f", "framemd5", "-",
        ],
        doing=f"video {str(source)!r} cannot be read",
    ).decode()  # fmt: skip
    codec = re.search(r"^#codec_id 0: (\S+)$", listing, re.MULTILINE)
    size = re.search(r"^#dimensions 1: (\d+)x(\d+)$", listing, re.MULTILINE)
    stored = re.search(r"^1,(?:[^,]*,){3}\s*(\d+),", listing, re.MULTILINE)
    if codec is None or size is None or stored is None:
        raise OutputError(f"video {str(source)!r} has no pictures")
    if codec[1] != "h264":
        raise OutputError(f"video {str(source)!r} is {codec[1]}, and not H.264")
    if 2 * int(stored[1]) != 3 * int(size[1]) * int(size[2]):
        raise OutputError(f"video {str(source)!r} has other pixels than 8 bits in 4:2:0")
    with source.open("rb") as file:
        if file.read(_TYPE_AT + len(_TYPE))[_TYPE_AT:] != _TYPE:
            raise OutputError(f"video {str(source)!r} is in no MP4 file")
