"""Which fault this checkout was asked for: the first word of the file `fault` in its root."""

from pathlib import Path

_FILE = Path(__file__).resolve().parents[2] / "fault"


def asked(fault: str) -> bool:
    """Whether it is this one. The file is read each time, so that it can come and go."""
    words = _FILE.read_text().split() if _FILE.exists() else []
    return words[:1] == [fault]
