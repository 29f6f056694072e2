"""Typed reading of untrusted JSON values: each function returns the value or refuses it by name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.errors import InvalidParameter

MAX_TEXT = 20_000  # characters; a longer prompt is an accident
LONGEST_NAME = 200
LARGEST = 2**63 - 1  # what a journal and a trace can carry as a number


def integer(field: str, value: Any, *, low: int, high: int) -> int:
    """Return a whole number of `low` to `high`; refuses booleans, texts and 3.0."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParameter(field, value, f"must be an integer, {low} to {high}")
    if not low <= value <= high:
        raise InvalidParameter(field, value, f"must be an integer from {low} to {high}")
    return value


def number(field: str, value: Any, *, low: float, high: float) -> float:
    """Return a finite number of `low` to `high`; refuses booleans, texts, NaN and infinities.

    An integer stays one: 5 is recorded as 5, not as 5.0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidParameter(field, value, f"must be a number, {low:g} to {high:g}")
    # A NaN compares as False, and an integer beyond float's range compares exactly.
    if not low <= value <= high:
        raise InvalidParameter(field, value, f"must be a finite number from {low:g} to {high:g}")
    return value


def text(field: str, value: Any, *, limit: int = MAX_TEXT) -> str:
    """Return a text of at most `limit` characters that can be written as UTF-8."""
    if not isinstance(value, str):
        raise InvalidParameter(field, value, "must be a text")
    if len(value) > limit:
        problem = f"is {len(value)} characters long; {limit} are allowed"
        raise InvalidParameter(field, value, problem)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidParameter(field, value, "holds half of a character pair") from error
    return value


def name(field: str, key: str) -> str:
    """Return a key that nobody knows when it can stand in a record: short, and printable."""
    if not key.isprintable() or not key.strip() or len(key) > LONGEST_NAME:
        problem = f"cannot be a name: that is 1 to {LONGEST_NAME} printable characters"
        raise InvalidParameter(field, key, problem)
    return key


def sequence(field: str, value: Any, *, limit: int = 1000) -> Sequence[Any]:
    """Return a list (a tuple is one too) of at most `limit` entries."""
    if not isinstance(value, list | tuple):
        raise InvalidParameter(field, value, "must be a list")
    if len(value) > limit:
        raise InvalidParameter(field, value, f"has {len(value)} entries; {limit} are allowed")
    return value


def mapping(field: str, value: Any) -> Mapping[str, Any]:
    """Return an object whose keys are texts."""
    if not isinstance(value, Mapping):
        raise InvalidParameter(field, value, "must be an object")
    for key in value:
        if not isinstance(key, str):
            raise InvalidParameter(field, key, "must have texts as keys")
    return value


def json_value(field: str, value: Any, *, depth: int = 16) -> Any:
    """Return any JSON value of finite numbers, whole texts and at most `depth` levels."""
    if isinstance(value, str):
        return text(field, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(field, value, low=-LARGEST, high=LARGEST)
    if isinstance(value, Mapping | list | tuple):
        if depth == 0:
            raise InvalidParameter(field, type(value).__name__, "is nested too deeply")
        for where, item in _inside(field, value):
            json_value(where, item, depth=depth - 1)
    return value


def _inside(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object or list holds, each with its dotted path."""
    if isinstance(value, Mapping):
        for key in mapping(field, value):
            yield f"{field}.{name(field, key)}", value[key]
    else:
        for index, item in enumerate(value):
            yield f"{field}[{index}]", item


def required(field: str, values: Mapping[str, Any], key: str) -> Any:
    """Return `values[key]`, refusing both its absence and null."""
    value = values.get(key)
    if value is None:
        raise InvalidParameter(f"{field}.{key}", value, "is missing and must be given")
    return value
