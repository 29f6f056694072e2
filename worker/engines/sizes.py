"""Sizes of memory as people compare them with what a GPU has."""

from typing import Final

_GIB: Final = 2**30


def gigabytes(size: int) -> str:
    """Write a number of bytes in GiB, or below an eighth of one in MiB."""
    return f"{size / _GIB:.2f} GiB" if size >= _GIB // 8 else f"{size / 2**20:.2f} MiB"
