"""The contact sheet: a row for each segment, from the one picture over its frames to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from worker.video.files import Frame

FRAMES_SHOWN = 5
NOTE = (
    "framed: the pictures that were given, in the video's size; between them: its frames, unscaled"
)
PAPER, INK, FAINT, MARK = "#fbfbf9", "#1d1d1f", "#6b6b70", "#c2410c"
_MARGIN = 24
_GAP = 6
_BESIDE_PICTURE = 18  # between a picture that was given and the frames that were made
_FRAME_OF_PICTURE = 3
_TITLE, _TEXT, _LABEL = 20, 15, 12  # heights of the letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A segment, as the sheet shows it.

    Attributes:
        title: What it was asked for.
        detail: In which phases it had which LoRA.
        first: The name of the picture that it starts from, and the picture.
        last: The same of the one that it ends with. Both are RGB.
        frames: All that it made; the sheet shows some of them, evenly spaced.
    """

    title: str
    detail: str
    first: tuple[str, Image.Image]
    last: tuple[str, Image.Image]
    frames: "Frame"


def draw_sheet(title: str, rows: Sequence[Row], *, shown: int = FRAMES_SHOWN) -> Image.Image:
    """Draw the rows, of frames of one size, below each other. No frame is enlarged or reduced.

    The pictures that were given stand in a coloured frame at both ends, in the size of the frames.
    """
    height, width = rows[0].frames.shape[1:3]
    row_height = _TEXT + 2 * _GAP + height + 2 * _GAP + _LABEL + _MARGIN
    top = _MARGIN + _TITLE + _MARGIN
    across = 2 * (_MARGIN + width + _BESIDE_PICTURE) + shown * (width + _GAP) - _GAP
    bottom = top + len(rows) * row_height
    sheet = Image.new("RGB", (across, bottom + _LABEL + _MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN), title, INK, _font(_TITLE))
    pen.text((_MARGIN, bottom), NOTE, FAINT, _font(_LABEL))
    for index, row in enumerate(rows):
        _draw_row(sheet, pen, row, top + index * row_height, shown)
    return sheet


def open_picture(path: Path) -> Image.Image:
    """Read a picture that was given."""
    with Image.open(path) as picture:
        return picture.convert("RGB")


def evenly(count: int, shown: int) -> list[int]:
    """Return the indexes of the first and the last of `count` frames, and of some between."""
    if count <= shown:
        return list(range(count))
    return [round(place * (count - 1) / (shown - 1)) for place in range(shown)]


def _draw_row(sheet: Image.Image, pen: ImageDraw.ImageDraw, row: Row, top: int, shown: int) -> None:
    height, width = row.frames.shape[1:3]
    pen.text((_MARGIN, top), row.title, INK, _font(_TEXT))
    pen.text((sheet.width - _MARGIN, top), row.detail, FAINT, _font(_TEXT), anchor="ra")
    top += _TEXT + 2 * _GAP
    labels = top + height + _GAP
    right = sheet.width - _MARGIN - width
    for left, (name, picture) in ((_MARGIN, row.first), (right, row.last)):
        reduced = picture.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(reduced, (left, top))
        around = (left - _FRAME_OF_PICTURE, top - _FRAME_OF_PICTURE)
        beyond = (left + width + _FRAME_OF_PICTURE - 1, top + height + _FRAME_OF_PICTURE - 1)
        pen.rectangle((around, beyond), outline=MARK, width=_FRAME_OF_PICTURE)
        pen.text((left, labels), name, MARK, _font(_LABEL))
    left = _MARGIN + width + _BESIDE_PICTURE
    for index in evenly(len(row.frames), shown):
        sheet.paste(Image.fromarray(row.frames[index]), (left, top))
        pen.text((left, labels), f"frame {index + 1}", FAINT, _font(_LABEL))
        left += width + _GAP


def _font(height: int) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    """Return Pillow's own font: no other is sure to be there."""
    return ImageFont.load_default(height)
