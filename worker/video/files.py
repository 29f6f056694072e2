"""Video files: H.264 in mp4, verified after writing; thumbnails; frames back for stitching."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from worker.errors import OutputError
from worker.video import ffmpeg
from worker.video.probing import (
    VideoFacts,
    compare,
    decoding_back,
    probe_encoded,
    probe_video,
    source_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Frame: TypeAlias = NDArray[np.uint8]

# The GPU waits for what is not encoded while pictures are still decoded: with "medium", x264's own
# default, all takes three times as long as with "veryfast", for a file that is a quarter smaller.
PRESET = "veryfast"

_JPEG_QUALITY = 90
# NTSC rates have the denominator 1001; nothing finer occurs.
_MAX_DENOMINATOR = 1001
_CHANNELS = 3

# Flagged and converted alike: players otherwise guess the matrix from the size of the picture.
_COLOUR = (
    "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p",
    "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
)  # fmt: skip


def write_video(
    frames: "Iterable[Frame]",
    path: Path,
    *,
    fps: float,
    metadata: Mapping[str, str],
    crf: int = 18,
    preset: str = PRESET,
    as_they_come: bool = False,
) -> VideoFacts:
    """Write H.264 in mp4 (yuv420p, playable while it loads), verify it, give it its name.

    Args:
        frames: Pictures (height, width, 3), uint8, RGB, all of one even size: an array of four
            dimensions, or an iterator, of which one picture at a time is held.
        path: Replaced when it is there; never a half-written file.
        fps: Frames per second.
        metadata: Kept in the file's comment as JSON; `read_metadata` returns it.
        crf: Quality of x264, 0 (lossless) to 51; 18 is visually close to the source.
        preset: How long x264 looks for what makes the file small, by x264's names.
        as_they_come: Whether pictures come more slowly than they are encoded. x264 then keeps
            none waiting for a second thread, so it ends sooner after the last; the file is alike.

    Raises `OutputError` when the file cannot be written, or when decoding what was written does
    not give the frames, rate and size that were asked.
    """
    decoded = path.with_name(f".{path.name}.decoded")

    def encode(partial: Path, notes: Path) -> VideoFacts:
        how = ["-crf", str(crf), "-preset", preset]
        if as_they_come:
            how += ["-x264-params", "sync-lookahead=0"]
        return _encode(frames, partial, notes, decoded, path=path, fps=fps, how=how)

    with _writing(path, decoded):
        return place_video(path, metadata, encode, lambda partial: probe_encoded(partial, decoded))


def place_video(
    path: Path,
    metadata: Mapping[str, str],
    write: Callable[[Path, Path], VideoFacts],
    probe: Callable[[Path], VideoFacts] = probe_video,
) -> VideoFacts:
    """Have a video written beside its place, verify it, give it its name.

    Args:
        path: Replaced when it is there; never a half-written file.
        metadata: What `read_metadata` is to return.
        write: Writes the video, given where to and a file with the metadata for ffmpeg; returns
            what the video is to be.
        probe: Says what was written.

    Raises `OutputError` when it cannot be written, or is another than it was to be.
    """
    partial = path.with_name(f".{path.name}.partial")
    notes = path.with_name(f".{path.name}.ffmetadata")
    with _writing(path, partial, notes):
        notes.write_text(_as_ffmetadata(metadata))
        written = write(partial, notes)
        facts = probe(partial)
        compare(path, asked=written, found=facts)
        partial.replace(path)
    return facts


def read_metadata(path: Path) -> dict[str, str]:
    """Return what `write_video` was given as metadata; empty for a file of another origin."""
    text = ffmpeg.run(
        ["-i", str(path), "-f", "ffmetadata", "-"],
        doing=f"metadata of {str(path)!r} cannot be read",
    ).decode()
    comment = re.search(r"^comment=((?:\\.|[^\\\n])*)$", text, re.MULTILINE | re.DOTALL)
    if comment is None:
        return {}
    try:
        noted = json.loads(re.sub(r"\\(.)", r"\1", comment[1], flags=re.DOTALL))
    except json.JSONDecodeError:
        return {}
    return noted if isinstance(noted, dict) else {}


def iterate_frames(path: Path) -> "Iterator[Frame]":
    """Yield the video's pictures one after another: (height, width, 3), uint8, RGB."""
    facts = probe_video(path)
    shape = (facts.height, facts.width, _CHANNELS)
    size = facts.height * facts.width * _CHANNELS
    raw = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    doing = f"video {str(path)!r} cannot be decoded"
    with ffmpeg.read_from([*source_of(path), *raw], doing=doing) as stream:
        while len(pixels := stream.read(size)) == size:
            yield np.frombuffer(pixels, dtype=np.uint8).reshape(shape)


def read_frames(path: Path) -> "Frame":
    """Return the whole video: (frames, height, width, 3), uint8, RGB."""
    return np.stack(list(iterate_frames(path)))


def write_thumbnail(frame: "Frame", path: Path) -> None:
    """Write one picture, (height, width, 3), uint8, RGB, as a jpg."""
    partial = path.with_name(f".{path.name}.partial")
    with _writing(path, partial):
        Image.fromarray(frame).save(partial, format="JPEG", quality=_JPEG_QUALITY)
        partial.replace(path)


@contextmanager
def _writing(path: Path, *temporary: Path) -> Iterator[None]:
    """Turn the disk's errors into `OutputError`; leave no temporary file behind."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written: {error.strerror or error}; "
            "free space, or choose another folder"
        ) from error
    finally:
        for file in temporary:
            file.unlink(missing_ok=True)


def _encode(
    frames: "Iterable[Frame]",
    target: Path,
    notes: Path,
    decoded: Path,
    *,
    path: Path,
    fps: float,
    how: Sequence[str],
) -> VideoFacts:
    """Feed ffmpeg; return what was fed."""
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise OutputError(f"video {str(path)!r}: there are no frames to write")
    height, width = _size(first, path)
    rate = Fraction(fps).limit_denominator(_MAX_DENOMINATOR)
    arguments = [
        "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate),
        "-i", "pipe:0", "-f", "ffmetadata", "-i", str(notes), "-map", "0:v", "-map_metadata", "1",
        "-c:v", "libx264", *how, *_COLOUR, "-movflags", "+faststart", "-f", "mp4",
        str(target), *decoding_back(decoded),
    ]  # fmt: skip
    doing = f"video {str(path)!r} cannot be written (free space, or choose another folder)"
    count = 0
    with ffmpeg.fed(arguments, doing=doing) as stdin:
        for picture in _all(first, pictures):
            if _size(picture, path) != (height, width):
                raise OutputError(
                    f"video {str(path)!r}: frame {count} is {picture.shape}, "
                    f"the first {first.shape}"
                )
            stdin.write(np.ascontiguousarray(picture).data)
            count += 1
    return VideoFacts(frames=count, fps=fps, width=width, height=height)


def _all(first: "Frame", rest: "Iterator[Frame]") -> "Iterator[Frame]":
    yield first
    yield from rest


def _size(picture: "Frame", path: Path) -> tuple[int, int]:
    shape = picture.shape
    right = picture.dtype == np.uint8 and len(shape) == _CHANNELS and shape[2] == _CHANNELS
    if not right or shape[0] % 2 or shape[1] % 2:
        raise OutputError(
            f"video {str(path)!r}: a frame is {picture.dtype} {shape}; "
            "it must be uint8 (height, width, 3) with even sides"
        )
    return int(shape[0]), int(shape[1])


def _as_ffmetadata(metadata: Mapping[str, str]) -> str:
    """Put JSON into ffmpeg's metadata format, which has no limit where an argument has one."""
    text = json.dumps(dict(metadata), ensure_ascii=False)
    escaped = re.sub(r"([=;#\\\n])", r"\\\1", text)
    return f";FFMETADATA1\ncomment={escaped}\n"
