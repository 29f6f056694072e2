"""Pictures are decoded to upright, opaque RGB, or refused."""

import dataclasses
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from worker.errors import InputError
from worker.inputs.fetch import cache_path
from worker.inputs.pictures import FORMATS, decode, fetch_picture
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Site

ROOMY = 1_000_000


def decoded(path: Path) -> Image.Image:
    """Decode a picture under its own name."""
    return decode(path, source=str(path), max_pixels=ROOMY)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    """Write a picture and return its path."""
    image.save(path, **options)
    return path


def chunk(kind: bytes, body: bytes) -> bytes:
    """Make a chunk of a PNG file."""
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_decoded_to_rgb(tmp_path: Path, form: str) -> None:
    """Whatever the file's name says."""
    path = save(Image.new("RGB", (20, 10), (200, 100, 50)), tmp_path / "picture", format=form)
    image = decoded(path)
    assert (image.mode, image.size) == ("RGB", (20, 10))
    assert image.getpixel((5, 5)) == pytest.approx((200, 100, 50), abs=12)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I;16B", "LAB"])
def test_each_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    """Palettes, grey, 16 bits, print colours."""
    form = "TIFF" if mode in {"CMYK", "I;16B", "LAB"} else "PNG"
    path = save(Image.new(mode, (20, 10)), tmp_path / "picture", format=form)
    assert decoded(path).mode == "RGB"


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    """A phone held upright writes a lying picture with orientation 6."""
    image = Image.new("RGB", (20, 10))
    image.paste((255, 0, 0), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = decoded(save(image, tmp_path / "a.png", exif=exif))
    assert upright.size == (10, 20)
    assert upright.getpixel((5, 2)) == (255, 0, 0)


@pytest.mark.parametrize(("alpha", "colour"), [(0, (255,) * 3), (128, (127,) * 3), (255, (0,) * 3)])
def test_what_is_clear_shows_white(
    tmp_path: Path, alpha: int, colour: tuple[int, int, int]
) -> None:
    """In proportion; an engine has no alpha, and black would be a guess too."""
    path = save(Image.new("RGBA", (4, 4), (0, 0, 0, alpha)), tmp_path / "a.png")
    assert decoded(path).getpixel((0, 0)) == colour


def test_a_palette_with_a_clear_colour_shows_white_there(tmp_path: Path) -> None:
    """A GIF has its transparency in the palette."""
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((0, 0), 0)
    clear = decoded(save(image, tmp_path / "a.png", transparency=0))
    assert clear.getpixel((0, 0)) == (255, 255, 255)
    assert clear.getpixel((2, 2)) == (200, 0, 0)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    """Half of 65535 is half of 255."""
    grey = Image.fromarray(np.full((4, 4), 32768, np.uint16))
    assert decoded(save(grey, tmp_path / "a.png")).getpixel((0, 0)) == (128, 128, 128)


def test_sixteen_bits_in_the_other_order_are_scaled_alike(tmp_path: Path) -> None:
    """As in a TIFF of a Macintosh."""
    grey = Image.new("I;16B", (4, 4), 32768)
    assert decoded(save(grey, tmp_path / "a.tiff")).getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("values", [np.float32(0.5), np.int32(70_000), np.int32(-1)])
def test_thirty_two_bits_are_refused(tmp_path: Path, values: Any) -> None:
    """Half of one could be grey or black; nothing in the file says which."""
    path = save(Image.fromarray(np.full((4, 4), values)), tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"32 bits a colour.*save it with 8 or 16"):
        decoded(path)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_a_moving_picture_the_first_is_taken(tmp_path: Path, form: str) -> None:
    """Or of one with several pages."""
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    options = {"save_all": True, "append_images": [second]}
    path = save(first, tmp_path / "a", format=form, **options)
    with Image.open(path) as saved:
        assert getattr(saved, "n_frames", 1) == 2
    assert decoded(path).getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=2)


def test_of_a_phones_two_pictures_the_first_is_taken(tmp_path: Path) -> None:
    """A JPEG with a second one behind it: depth, the other eye, or light for bright screens."""
    second = Image.new("RGB", (8, 8))
    options = {"save_all": True, "append_images": [second], "format": "MPO"}
    path = save(Image.new("RGB", (8, 8), (255, 0, 0)), tmp_path / "a.jpg", **options)
    assert decoded(path).getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=2)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_a_picture_of_any_shape_is_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    """What becomes of it is the engine's."""
    assert decoded(save(Image.new("RGB", size), tmp_path / "a.png")).size == size


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif", [b"garbage", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x02"]
)
def test_exif_that_is_broken_is_ignored(tmp_path: Path, form: str, exif: bytes) -> None:
    """The picture can be seen without it."""
    path = save(Image.new("RGB", (20, 10)), tmp_path / "a", format=form, exif=b"Exif\0\0" + exif)
    assert decoded(path).size == (20, 10)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_no_damage_raises_anything_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject
) -> None:
    """Readers raise whatever they run into: division by zero, missing keys, wrong types."""
    path = tmp_path_factory.mktemp("any") / "picture"
    save(Image.new("RGB", (8, 8), (200, 100, 50)), path, format=form)
    body = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(len(body), 400) - 1))
        body[place] = data.draw(st.sampled_from((0, 1, 127, 128, 255)))
    path.write_bytes(body)
    try:
        image = decoded(path)
    except InputError:
        return
    assert image.mode == "RGB"


def test_what_a_file_says_of_itself_does_not_go_on(tmp_path: Path) -> None:
    """A place, a camera's number, a profile that is applied already."""
    exif = Image.Exif()
    exif[0x010E] = "my garden"
    path = save(Image.new("RGB", (4, 4)), tmp_path / "a.png", exif=exif, dpi=(72, 72))
    assert decoded(path).info == {}


def test_a_file_that_is_no_picture_is_named_with_its_beginning(tmp_path: Path) -> None:
    """A web page under a picture's name is the common case."""
    path = tmp_path / "a.png"
    path.write_text("<!DOCTYPE html><html>")
    with pytest.raises(InputError, match=r"a\.png.*no picture.*<!DOCTYPE html>"):
        decoded(path)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF", "BMP"])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, form: str) -> None:
    """Half a picture would be half black."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = save(Image.fromarray(noise), tmp_path / "a", format=form)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="no picture that can be decoded"):
        decoded(path)


def test_more_pixels_than_allowed_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    """Some hundred bytes that claim a gigapixel."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 25_000, 8, 2, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")))
    with pytest.raises(InputError, match=r"bomb\.png.*pixels"):
        decoded(path)


@pytest.mark.parametrize(
    "head",
    [
        b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x08",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, *[0] * 6),
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xda",
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\0\xff\xff\0",
    ],
)
def test_a_header_that_claims_gigapixels_is_refused(tmp_path: Path, head: bytes) -> None:
    """In each format some bytes suffice; no memory is taken for what they claim."""
    path = tmp_path / "bomb"
    path.write_bytes(head + bytes(100))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb.*(pixels|no picture)"):
        decoded(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_pixels_over_our_limit_and_under_pillows_are_refused(tmp_path: Path) -> None:
    """Both are named."""
    path = save(Image.new("RGB", (1001, 1000)), tmp_path / "a.png")
    with pytest.raises(InputError, match=r"1001x1000.*1,000,000 pixels"):
        decoded(path)


def test_a_formats_reader_that_is_not_needed_stays_closed(tmp_path: Path) -> None:
    """Pillow reads some forty formats; fewer readers are fewer holes."""
    path = save(Image.new("RGB", (4, 4)), tmp_path / "a.png", format="PPM")
    with pytest.raises(InputError, match="no picture"):
        decoded(path)


def test_a_picture_is_fetched_by_url(tmp_path: Path, site: "Site", policy: InputPolicy) -> None:
    """And decoded, also from the cache."""
    body = save(Image.new("RGB", (4, 4), (1, 2, 3)), tmp_path / "a.png").read_bytes()
    url = site.serve("/a.png", body, kind="image/png")
    for _ in range(2):
        assert fetch_picture(url, policy).getpixel((0, 0)) == (1, 2, 3)
    assert site.seen == ["/a.png"]


def test_a_page_served_as_a_picture_is_refused_and_not_kept(
    site: "Site", policy: InputPolicy
) -> None:
    """Tomorrow the right file may be there."""
    url = site.serve("/a.png", b"<html>come back later</html>", kind="text/html")
    with pytest.raises(InputError, match=r"/a\.png.*no picture"):
        fetch_picture(url, policy)
    assert list(policy.cache_dir.iterdir()) == []


def test_a_kept_picture_that_has_rotted_is_fetched_again(
    tmp_path: Path, site: "Site", policy: InputPolicy
) -> None:
    """Decoding finds it out."""
    body = save(Image.new("RGB", (64, 64), (1, 2, 3)), tmp_path / "a.png").read_bytes()
    url = site.serve("/a.png", body)
    fetch_picture(url, policy)
    cache_path(url, policy).write_bytes(body[: len(body) // 2])
    assert fetch_picture(url, policy).getpixel((0, 0)) == (1, 2, 3)
    assert len(site.seen) == 2


def test_a_picture_file_over_the_limit_is_refused(site: "Site", policy: InputPolicy) -> None:
    """By bytes, before it is decoded."""
    url = site.serve("/a.png", b"x" * 2000)
    with pytest.raises(InputError, match="larger than the limit of 1,000 bytes"):
        fetch_picture(url, dataclasses.replace(policy, max_picture_bytes=1000))
