"""Values that nobody can change, and a digest that shows that nobody did."""

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def freeze(value: Any) -> Any:
    """Return a deeply read-only copy of a JSON value: lists become tuples."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """Return a frozen value as plain JSON types, the caller's to change."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(item) for item in value]
    return value


def canonical_json(value: Any) -> str:
    """Write a JSON value in one way only: sorted keys, no blanks, tuples as lists.

    Other types are named by their type, so that a digest never fails and never runs a `repr`.
    """
    return _ENCODER.encode(value)


def digest(defaults: Mapping[str, Any]) -> str:
    """Return the sha256 of a model's defaults, as hexadecimal digits of their canonical JSON."""
    text = canonical_json(defaults)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else f"<{type(value).__qualname__}>"


# Kept: json.dumps makes a new encoder for every value that is not written in the default way.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain
)
