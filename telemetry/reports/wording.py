"""How values, texts of strangers and durations are written in every form of a report."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_LONGEST = 120
_DEEPEST = 20
_CLASS = "<class>"  # where a snapshot of an object has its class
_ESCAPED = 8  # characters that one may become, at about the most
_SPACE = re.compile(r"\s+")
CUT = "…"


def printable(text: str) -> str:
    """Return a text as a terminal or a page may get it: control characters are escaped.

    Line feeds stay. Marks that turn the direction of writing around are escaped too.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def one_line(text: str, longest: int = 0) -> str:
    """Return a text on one line, printable; cut after `longest` characters unless that is 0."""
    shown = text[: longest * _ESCAPED] if longest else text
    return cut(printable(_SPACE.sub(" ", shown).strip()), longest)


def value_text(value: Any, longest: int = _LONGEST) -> str:
    """Write a snapshotted value as Python would: 'text', None, Task(id=7); 0 cuts nothing."""
    written = _written(value)
    return cut(printable(written[: longest * _ESCAPED] if longest else written), longest)


def cut(text: str, longest: int) -> str:
    """Cut a text to so many characters, the last of them saying so; 0 cuts nothing."""
    return text if not longest or len(text) <= longest else f"{text[: longest - 1]}{CUT}"


def duration(ms: float) -> str:
    """Write milliseconds in the unit that suits them."""
    if not math.isfinite(ms):
        return "unknown"
    if ms >= 59_995:  # noqa: PLR2004 - a minute, as it is rounded
        tenths = round(ms / 100)
        return f"{tenths // 600} min {tenths % 600 / 10:04.1f} s"
    if ms >= 999.95:  # noqa: PLR2004 - a second, as it is rounded
        return f"{ms / 1000:.2f} s"
    if ms >= 0.9995:  # noqa: PLR2004 - a millisecond, as it is rounded
        return f"{ms:.1f} ms"
    return f"{ms * 1000:.0f} µs"


def size(count: float) -> str:
    """Write a number of bytes in the unit that suits it."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 - of the unit before in each
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _written(value: Any, depth: int = 0) -> str:
    match value:
        case None | bool() | int():
            return str(value)
        case float():
            return str(value) if math.isfinite(value) else f"float('{value}')"
        case str():
            return _quoted(value)
        case Mapping() | list() | tuple():
            return CUT if depth > _DEEPEST else _of_container(value, depth + 1)
    return json.dumps(value, default=str, ensure_ascii=False)


def _of_container(value: Any, depth: int) -> str:
    """Write a list, a dictionary, or an object by its class's own name and its fields."""
    if not isinstance(value, Mapping):
        return f"[{', '.join(_written(one, depth) for one in value)}]"
    kind = value.get(_CLASS)
    if not isinstance(kind, str):
        pairs = ((_written(key, depth), _written(one, depth)) for key, one in value.items())
        return f"{{{', '.join(f'{key}: {one}' for key, one in pairs)}}}"
    fields = (f"{name}={_written(one, depth)}" for name, one in value.items() if name != _CLASS)
    return f"{kind.rpartition('.')[2]}({', '.join(fields)})"


def _quoted(text: str) -> str:
    """Quote a text, unless it stands for an object: '<torch.Tensor (2, 3) float32>'."""
    if text[:1] == "<" and text[-1:] == ">":
        return text.replace("\n", "\\n")
    quote = '"' if "'" in text and '"' not in text else "'"
    inner = text.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")
    return f"{quote}{inner}{quote}"
