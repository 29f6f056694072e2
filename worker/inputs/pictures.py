"""Decode a picture of any common format to what engines take: RGB, upright, opaque."""

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import InputError
from worker.inputs.fetch import Wanted, fetch, go_on
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import shown

if TYPE_CHECKING:
    from PIL.Image import Image

# The formats that cameras, browsers and generators write; Pillow's rarer readers stay closed.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# What Pillow's readers raise on a damaged file; UnidentifiedImageError is an OSError.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, OverflowError, struct.error, zlib.error)


def fetch_picture(
    source: str, policy: InputPolicy, *, check: Callable[[], None] = go_on
) -> "Image":
    """Fetch and decode a picture; see `decode`. `check` may raise to stop a download."""

    def verify(path: Path) -> None:
        decoded.append(decode(path, source=source, max_pixels=policy.max_picture_pixels))

    decoded: list[Image] = []
    fetch(
        Wanted(source=source, max_bytes=policy.max_picture_bytes, verify=verify, check=check),
        policy,
    )
    return decoded[-1]


def decode(path: Path, *, source: str, max_pixels: int) -> "Image":
    """Decode the first picture of a file: RGB, turned as its EXIF says, over white where clear.

    Raises:
        InputError: It is no picture, damaged, or has more pixels than allowed; names `source`.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as image:
            # Pillow's own limit is a warning; ours is below and is an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            _check_pixels(image.size, max_pixels, source)
            image.load()
            return _opaque(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise InputError(shown(source), f"has too many pixels: {error}") from error
    except _DAMAGE as error:
        raise InputError(shown(source), _undecodable(path, error)) from error


def _check_pixels(size: tuple[int, int], limit: int, source: str) -> None:
    width, height = size
    if width * height > limit:
        raise InputError(
            shown(source), f"is {width}x{height}, more than the limit of {limit:,} pixels"
        )


def _opaque(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        # 16 bits a pixel; convert() would clip to white what is above 255.
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer).convert("RGB")


def _undecodable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    return f"is no picture that can be decoded ({error}); it begins with {head!r}"
