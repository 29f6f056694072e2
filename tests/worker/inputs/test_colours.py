"""Pictures with a colour profile look as they were meant to."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from worker.inputs.pictures import decode

# Chromaticities and D50-adapted matrices are what a profile holds: X, Y, Z of red, green, blue.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
D50 = (0.9642, 1.0, 0.8249)


def fixed(value: float) -> bytes:
    """Write a number as ICC does: 16 bits before the point, 16 after."""
    return struct.pack(">i", round(value * 65536))


def xyz(values: tuple[float, float, float]) -> bytes:
    """Make a tag of one colour."""
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))


def gamma(power: float) -> bytes:
    """Make a tag of a curve."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(power * 256)) + b"\0\0"


def text(words: str) -> bytes:
    """Make a tag of a description."""
    body = words.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(body)) + body + bytes(78 + (-len(body) % 4) + 1)


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Make a display's profile (ICC.1:2001-04), its header and its tags."""
    tags = {b"desc": text("of a test"), b"wtpt": xyz(D50), **tags}
    place, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += name + struct.pack(">II", place + len(data), len(body))
        data += padded
    size = place + len(data)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02400000, b"mntr", space, b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + b"".join(map(fixed, D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def rgb_profile(colours: Any, power: float = 2.2) -> bytes:
    """Make a profile of three primaries."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(power))
    return profile(b"RGB ", {**dict(zip(names, map(xyz, colours), strict=True)), **curves})


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pixel(path: Path, image: Image.Image, form: str = "PNG", **options: Any) -> Any:
    """Save a picture, decode it, and return its first pixel."""
    image.save(path / "picture", form, **options)
    decoded = decode(path / "picture", source="picture", max_pixels=10_000)
    assert decoded.mode == "RGB"
    assert decoded.info == {}
    return decoded.getpixel((0, 0))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_wide_colour_is_stronger_in_srgb(tmp_path: Path, form: str) -> None:
    """Display P3's (200, 100, 50) is (215, 94, 27) or so there: taken as it stands it is pale."""
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    red, green, blue = pixel(tmp_path, image, form, icc_profile=rgb_profile(DISPLAY_P3))
    assert red > 206
    assert green < 99
    assert blue < 42


def test_display_p3_becomes_srgb_by_the_formula(tmp_path: Path) -> None:
    """Out of gamma, through the matrices, into the curve of IEC 61966-2-1."""
    image = Image.new("RGB", (4, 4), (180, 120, 90))
    light = (np.array([180, 120, 90]) / 255) ** 2.2
    srgb = np.array([(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)])
    linear = light @ np.array(DISPLAY_P3) @ np.linalg.inv(srgb)
    expected = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    got = pixel(tmp_path, image, icc_profile=rgb_profile(DISPLAY_P3))
    assert got == pytest.approx(tuple(expected * 255), abs=1.5)


def test_adobe_rgb_green_is_the_strongest_of_srgb(tmp_path: Path) -> None:
    """It lies outside, and is taken to the edge."""
    image = Image.new("RGB", (4, 4), (0, 255, 0))
    assert pixel(tmp_path, image, icc_profile=rgb_profile(ADOBE_RGB)) == (0, 255, 0)
    image = Image.new("RGB", (4, 4), (100, 200, 100))
    red, green, _ = pixel(tmp_path, image, icc_profile=rgb_profile(ADOBE_RGB))
    assert red < 80
    assert green == pytest.approx(200, abs=4)


def test_srgb_stays_as_it_is(tmp_path: Path) -> None:
    """Most pictures with a profile have this one."""
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png", icc_profile=SRGB)
    decoded = decode(tmp_path / "a.png", source="a", max_pixels=10_000)
    assert np.array_equal(np.asarray(decoded), values)


def test_a_grey_profile_has_its_curve_taken_off(tmp_path: Path) -> None:
    """Linear grey of a fifth looks like middle grey."""
    linear = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    red, green, blue = pixel(tmp_path, Image.new("L", (4, 4), 55), icc_profile=linear)
    assert red == green == blue == pytest.approx(128, abs=2)


def test_a_grey_picture_with_a_profile_of_colours_is_taken_as_grey_of_these(
    tmp_path: Path,
) -> None:
    """As exporters write it; grey in a space of colours is grey in another."""
    got = pixel(tmp_path, Image.new("L", (4, 4), 128), icc_profile=rgb_profile(DISPLAY_P3))
    assert got == pytest.approx((128, 128, 128), abs=2)


def test_a_picture_for_print_goes_by_its_profile(tmp_path: Path) -> None:
    """Cyan ink is no cyan light: without a profile it would be (0, 255, 255)."""
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = pixel(tmp_path, image, "TIFF", icc_profile=cmyk_profile())
    assert (red, green, blue) == pytest.approx((128, 255, 255), abs=8)


def cmyk_profile() -> bytes:
    """Make a printer's profile: a table of two points an ink, to Lab; cyan ink takes half of red.

    Its white and its other inks are those of sRGB, multiplied.
    """
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    grid = b""
    for index in range(16):
        cyan, magenta, yellow, black = (index >> shift & 1 for shift in (3, 2, 1, 0))
        light = 0 if black else 255
        colour = (128 if cyan and light else light, 0 if magenta else light, 0 if yellow else light)
        lab = ImageCms.applyTransform(Image.new("RGB", (1, 1), colour), to_lab).getpixel((0, 0))
        grid += bytes(lab)
    identity = b"".join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    made = bytearray(profile(b"CMYK", {b"A2B0": table}))
    made[12:16], made[20:24] = b"prtr", b"Lab "
    return bytes(made)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_clear_shows_white_also_with_a_profile(tmp_path: Path, mode: str) -> None:
    """The profile is for colours, and leaves alpha alone."""
    image = Image.new("RGBA", (4, 4), (100, 100, 100, 255))
    image.putpixel((0, 0), (100, 100, 100, 0))
    options = {"icc_profile": rgb_profile(DISPLAY_P3)}
    if mode == "P":
        image = Image.new("P", (4, 4), 1)
        image.putpalette([0, 0, 0, 100, 100, 100])
        image.putpixel((0, 0), 0)
        options["transparency"] = 0
    image.convert(mode).save(tmp_path / "a.png", **options)
    decoded = decode(tmp_path / "a.png", source="a", max_pixels=100)
    assert decoded.getpixel((0, 0)) == (255, 255, 255)
    assert decoded.getpixel((2, 2)) == pytest.approx((100, 100, 100), abs=2)


@pytest.mark.parametrize(
    "broken",
    [b"garbage" * 30, SRGB[:200], rgb_profile(DISPLAY_P3)[:-60], cmyk_profile(), b"\0" * 128],
    ids=["garbage", "cut off", "without its curves", "for other colours", "zeros"],
)
def test_a_broken_profile_is_logged_and_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    """The picture can be seen without it."""
    image = Image.new("RGB", (4, 4), (200, 100, 50))
    assert pixel(tmp_path, image, icc_profile=broken) == (200, 100, 50)
    assert "the colour profile of 'picture' is ignored" in caplog.text


def test_a_profile_for_colours_is_ignored_on_a_picture_for_print(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It says nothing of inks."""
    image = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    assert pixel(tmp_path, image, "TIFF", icc_profile=SRGB) == (0, 255, 255)
    assert "it is for 'RGB', the picture is 'CMYK'" in caplog.text


def test_sixteen_bits_go_by_their_profile(tmp_path: Path) -> None:
    """They are eight by then."""
    linear = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    image = Image.fromarray(np.full((4, 4), 55 * 257, np.uint16))
    assert pixel(tmp_path, image, icc_profile=linear) == pytest.approx((128,) * 3, abs=2)
