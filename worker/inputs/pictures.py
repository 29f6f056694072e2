"""Decode a picture of any common format to what engines take: sRGB, upright, opaque."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import InputError
from worker.inputs.colours import to_srgb
from worker.inputs.fetch import Wanted, fetch, go_on
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import input_error, shown

if TYPE_CHECKING:
    from PIL.Image import Image

# The formats that cameras, browsers and generators write; Pillow's rarer readers stay closed.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_MAX_16_BITS = 65_535
_log = logging.getLogger(__name__)


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

    Colours are converted to sRGB by the profile that the file carries. EXIF or a profile that is
    broken is logged and ignored.

    Raises:
        InputError: It is no picture, damaged, or has more pixels than allowed; names `source`.
    """
    upright = _eight_bits(_loaded(path, source, max_pixels), source)
    decoded = _opaque(to_srgb(upright, source=source))
    decoded.info.clear()  # the profile and the EXIF say nothing of these pixels any more
    return decoded


def _loaded(path: Path, source: str, max_pixels: int) -> "Image":
    from PIL import Image

    try:
        # Pillow warns of what is ignored or refused here, and of its own limit of pixels.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(path, formats=FORMATS) as image,
        ):
            _check_pixels(image.size, max_pixels, source)
            image.load()
            return _upright(image, source)
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise input_error(source, f"has too many pixels: {error}") from error
    except Exception as error:  # a reader raises whatever it runs into
        raise input_error(source, _undecodable(path, error)) from error


def _check_pixels(size: tuple[int, int], limit: int, source: str) -> None:
    width, height = size
    if width * height > limit:
        problem = f"is {width}x{height}, more than the limit of {limit:,} pixels"
        raise input_error(source, problem)


def _upright(image: "Image", source: str) -> "Image":
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # noqa: BLE001 - as a reader; EXIF alone is no reason to refuse
        _log.warning("the EXIF of %r is ignored: %s", shown(source), error)
        return image


def _eight_bits(image: "Image", source: str) -> "Image":
    """Scale 16 bits a pixel to 8; convert() would clip to white what is above 255."""
    if image.mode == "F" or (image.mode == "I" and not _are_16_bits(image)):
        problem = "has 32 bits a colour, and nothing says which value is white"
        raise input_error(source, f"{problem}; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image


def _are_16_bits(image: "Image") -> bool:
    least, most = image.getextrema()
    return least >= 0 and most <= _MAX_16_BITS  # type: ignore[operator]  # one band: two numbers


def _opaque(image: "Image") -> "Image":
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer).convert("RGB")


def _undecodable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    known = ", ".join(FORMATS)
    return f"is no picture that can be decoded ({error}); it begins with {head!r}; known: {known}"
