"""Colours as they were meant: pictures with a colour profile become sRGB.

Without this a Display P3 or Adobe RGB picture looks pale, and one for print looks gaudy.
"""

import io
import logging
from typing import TYPE_CHECKING

from worker.inputs.sources import shown

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsProfile

# By a profile's colour space: the mode that it takes, and the modes that become that one.
_SPACES = {
    "RGB": ("RGB", {"RGB", "RGBA", "RGBX", "P", "PA", "L", "LA", "1"}),
    "GRAY": ("L", {"L", "LA", "1"}),
    "CMYK": ("CMYK", {"CMYK"}),
}
_log = logging.getLogger(__name__)


def to_srgb(image: "Image", *, source: str) -> "Image":
    """Convert a picture by the ICC profile that it carries; return it as it is where it has none.

    A profile that is broken, or made for other colours than the picture's, is logged and ignored:
    the picture can be seen without it. The mode may change to RGB or RGBA; what is clear stays so.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    from PIL import ImageCms

    try:
        return _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        _log.warning("the colour profile of %r is ignored: %s", shown(source), error)
        return image


def _converted(image: "Image", profile: "ImageCmsProfile") -> "Image":
    from PIL import ImageCms

    space = profile.profile.xcolor_space.strip()
    mode, modes = _SPACES.get(space, ("", set()))
    if image.mode not in modes:
        raise ValueError(f"it is for {space!r}, the picture is {image.mode!r}")
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    pixels = image if image.mode == mode else image.convert(mode)
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(pixels, profile, srgb, outputMode="RGB")
    if converted is None:  # only a conversion in place returns none
        return image
    converted.info.pop("transparency", None)  # a colour of the old space
    if alpha is not None:
        converted.putalpha(alpha)
    return converted
