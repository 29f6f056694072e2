"""What a video file holds: its frames, decoded, and whether that is what was asked."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from worker.errors import OutputError
from worker.video import ffmpeg

_FPS_TOLERANCE: Final = 0.001
_LISTED: Final = ("-fps_mode", "passthrough", "-f", "framecrc")  # a line a frame
_DECODES_BACK: Final = 7  # the first major version of ffmpeg that has `-dec`


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What decoding every frame of a file has shown."""

    frames: int
    fps: float
    width: int
    height: int


def verify_video(path: Path, *, frames: int, fps: float, width: int, height: int) -> VideoFacts:
    """Decode the whole file; raise `OutputError` naming both values where it is another."""
    facts = probe_video(path)
    compare(path, asked=VideoFacts(frames=frames, fps=fps, width=width, height=height), found=facts)
    return facts


def probe_video(path: Path) -> VideoFacts:
    """Decode every frame of a video. Raises `OutputError` when it is damaged or none."""
    listing = ffmpeg.run(
        [*source_of(path), *_LISTED, "-"],
        doing=f"video {str(path)!r} cannot be decoded",
    )
    return _facts(listing.decode(), path)


def probe_encoded(path: Path, decoded: Path) -> VideoFacts:
    """Probe a video of which the encoder's output was decoded again while it was encoded.

    Args:
        path: The video; what is stored in it is listed, and not decoded a second time.
        decoded: What `decoding_back` has had written. Where there is none, all is decoded now.
    """
    if not decoded.exists():
        return probe_video(path)
    listing = ffmpeg.run(
        # Discarded: what is left of a frame at the end of a file that was cut off.
        ["-fflags", "+discardcorrupt", *source_of(path), "-c", "copy", "-f", "framecrc", "-"],
        doing=f"video {str(path)!r} cannot be read",
    )
    stored, seen = _facts(listing.decode(), path), _facts(decoded.read_text(), path)
    compare(path, asked=stored, found=seen)
    return stored


def decoding_back(decoded: Path) -> list[str]:
    """Return the arguments by which ffmpeg decodes what it encodes, beside that, and lists it.

    None for an ffmpeg before 7.0, which cannot.
    """
    if ffmpeg.major_version() < _DECODES_BACK:
        return []
    return [
        "-dec", "0:0", "-filter_complex", "[dec:0]null[back]", "-map", "[back]",
        *_LISTED, str(decoded),
    ]  # fmt: skip


def _facts(listing: str, path: Path) -> VideoFacts:
    """Read a listing of frames, decoded or as they are stored."""
    dimensions = re.search(r"^#dimensions 0: (\d+)x(\d+)$", listing, re.MULTILINE)
    base = re.search(r"^#tb 0: (\d+/\d+)$", listing, re.MULTILINE)
    rows = [line.split(",") for line in listing.splitlines() if not line.startswith("#")]
    if dimensions is None or base is None or not rows:
        raise OutputError(f"video {str(path)!r} has no pictures")
    return VideoFacts(
        frames=len(rows),
        fps=_rate(rows, Fraction(base[1])),
        width=int(dimensions[1]),
        height=int(dimensions[2]),
    )


def compare(path: Path, *, asked: VideoFacts, found: VideoFacts) -> None:
    """Raise `OutputError` that names what is another than was asked, with both values."""
    differences = [
        f"{name}: asked {wanted}, found {got}"
        for name, wanted, got in (
            ("frames", asked.frames, found.frames),
            ("width", asked.width, found.width),
            ("height", asked.height, found.height),
        )
        if wanted != got
    ]
    if abs(asked.fps - found.fps) > _FPS_TOLERANCE:
        differences.append(f"fps: asked {asked.fps:g}, found {found.fps:g}")
    if differences:
        raise OutputError(f"video {str(path)!r} is not what was asked: {'; '.join(differences)}")


def _rate(rows: list[list[str]], base: Fraction) -> float:
    """Return frames per second: from first to last picture, or of a single one's duration."""
    shown_at = sorted(int(row[2]) for row in rows)
    intervals = max(len(rows) - 1, 1)
    ticks = shown_at[-1] - shown_at[0] if len(rows) > 1 else int(rows[0][3])
    return float(intervals / (ticks * base)) if ticks else 0.0


def source_of(path: Path) -> list[str]:
    """Return the arguments by which ffmpeg reads the pictures of a video."""
    return ["-i", str(path), "-map", "0:v:0"]
