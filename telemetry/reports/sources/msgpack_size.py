"""How many values a MessagePack document holds, counted without making any of them.

A stranger's document may be small and hold millions of empty maps: decoded, each of its bytes is
some seventy of memory.
"""

from typing import Final

# By an item's first byte: how many bytes follow it that are no items of their own.
_FIXED: Final = {
    **dict.fromkeys(range(0x80), 0),  # small numbers
    **dict.fromkeys(range(0x80, 0xA0), 0),  # small maps and arrays: what they hold are items
    **{byte: byte - 0xA0 for byte in range(0xA0, 0xC0)},  # short texts
    **dict.fromkeys(range(0xC0, 0xC4), 0),  # nil, false, true
    **dict(zip(range(0xCA, 0xD4), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8), strict=True)),  # numbers
    **dict(zip(range(0xD4, 0xD9), (2, 3, 5, 9, 17), strict=True)),  # extensions
    **dict(zip(range(0xDC, 0xE0), (2, 4, 2, 4), strict=True)),  # counts of arrays and maps
    **dict.fromkeys(range(0xE0, 0x100), 0),  # small negative numbers
}
# Of texts, bytes and extensions that say their length: in how many bytes, and what else follows.
_MEASURED: Final = {
    **dict(zip(range(0xC4, 0xCA), ((1, 0), (2, 0), (4, 0), (1, 1), (2, 1), (4, 1)), strict=True)),
    **dict(zip(range(0xD9, 0xDC), ((1, 0), (2, 0), (4, 0)), strict=True)),
}
_SKIPPED: Final = tuple(_FIXED.get(byte, -1) + 1 for byte in range(256))


def count_values(document: bytes, most: int) -> int:
    """Return how many values a document holds; counting ends once they are more than `most`.

    Keys of maps are values, too. Of what is no MessagePack the number says nothing.
    """
    at = count = 0
    size = len(document)
    while at < size and count <= most:
        count += 1
        first = document[at]
        skipped = _SKIPPED[first]
        if skipped:
            at += skipped
        else:
            length, more = _MEASURED[first]
            start = at + 1
            at = start + length + more + int.from_bytes(document[start : start + length])
    return count
