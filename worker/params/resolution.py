"""Sizes: "WxH", each side floored to a multiple of 16."""

import re

from worker.errors import InvalidParameter

MAX_SIDE = 8192  # pixels
_PATTERN = re.compile(r"([0-9]{1,6})[xX]([0-9]{1,6})")


def parse_resolution(text: object, *, field: str = "resolution") -> tuple[int, int]:
    """Return width and height of a text "WxH", as asked: nothing is rounded yet."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidParameter(field, text, 'must be a text "WIDTHxHEIGHT", as in "896x496"')
    width, height = int(match[1]), int(match[2])
    if max(width, height) > MAX_SIDE:
        raise InvalidParameter(field, text, f"has a side above {MAX_SIDE} pixels")
    return width, height


def round_resolution(
    width: int, height: int, *, multiple: int = 16, field: str = "resolution"
) -> tuple[int, int]:
    """Floor both sides to a multiple: 902x508 becomes 896x496."""
    if min(width, height) < multiple:
        raise InvalidParameter(
            field, f"{width}x{height}", f"has a side under {multiple} pixels, the least there is"
        )
    return width - width % multiple, height - height % multiple
