"""Attribute values made plain and clean before they are written."""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from telemetry import names
from telemetry.recorder.redaction import CACHED_CHARACTERS, Redactor, cut, redacted, shortened
from telemetry.recorder.values import described, scalar, type_name

LONGEST_TEXT: Final = 256 * 1024
_MOST_TEXT: Final = 2 * 1024 * 1024  # characters of one record's attributes: it must find room
_LONG_TEXT: Final = 4096  # a shorter one is never cut for that
_MOST_ITEMS: Final = 4096  # of a list that stays one
_DEEPEST: Final = 12
_LARGEST_INT: Final = 2**63 - 1
_MOST_KNOWN: Final = 4096
_LARGEST_SURE_FLOAT: Final = 2.0**53  # beyond, one may equal a whole number of more than 64 bits
_PARAM_VALUES: Final = (names.PARAM_OLD, names.PARAM_NEW, names.PARAM_ASKED)


def clean(attributes: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Return attributes in the form that `telemetry.records` promises, without secrets.

    None becomes the text "null" and `<name>.is_null`; a list of one plain type stays a list; other
    lists and dictionaries become JSON; what is not plain becomes `<module.Class>`.
    """
    if type(attributes) is not dict:
        attributes = _taken(attributes)
    if not _are_plain(attributes):
        return _cleaned(attributes, redactor)
    # Nearly all that is recorded has been seen before: all of it is looked up in one step.
    if redactor.known.issuperset(attributes.items()):
        return attributes.copy()
    cleaned = _cleaned(attributes, redactor)
    _learn(attributes, cleaned, redactor)
    return cleaned


def _taken(attributes: Any) -> dict[Any, Any]:
    """Return what a mapping of another's class holds; what it does to prevent that is said."""
    kind = type(attributes)
    if issubclass(kind, dict):
        return dict(dict.items(attributes))
    try:
        return dict(attributes.items())
    except BaseException as fault:  # noqa: BLE001 - foreign code, which may raise anything
        return {"loop26.attributes": f"<{type_name(kind)} raised {type_name(type(fault))}>"}


def _are_plain(attributes: dict[Any, Any]) -> bool:
    """Whether all keys and values are of exactly a plain type: none has an own hash or equality."""
    for key, value in attributes.items():
        kind = type(value)
        if type(key) is not str or (
            kind is not str and kind is not int and kind is not float and kind is not bool
        ):
            return False
    return True


def _cleaned(attributes: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    redactor.learn(attributes.items())
    cleaned: dict[str, Any] = {}
    for given, value in attributes.items():
        if not issubclass(type(given), str):
            continue
        key = redacted(str.__str__(given))
        kind = type(value)
        replacement = redactor.replacement(key, value)
        if replacement is not None:
            cleaned[key] = replacement
        elif kind is str:
            cleaned[key] = shortened(value, LONGEST_TEXT)
        elif (
            kind is bool
            or kind is float
            or (kind is int and -_LARGEST_INT <= value <= _LARGEST_INT)
        ):
            cleaned[key] = value
        elif value is None:
            cleaned[key] = names.NULL
            cleaned[key + names.IS_NULL] = True
        else:
            cleaned[key] = _other(value, redactor)
    _fit(cleaned)
    if type(cleaned.get(names.TASK_PARAMS)) is str:
        cleaned[names.TASK_PARAMS] = _clean_json(attributes[names.TASK_PARAMS], redactor)
    param = cleaned.get(names.PARAM_KEY)
    if type(param) is str and redactor.decides(param):
        _hide_parameter(param, cleaned, attributes, redactor)
    return cleaned


def _fit(cleaned: dict[str, Any]) -> None:
    """Cut the longest texts where all together are more than a record may hold."""
    long = [key for key, value in cleaned.items() if type(value) is str and len(value) > _LONG_TEXT]
    if len(long) > _MOST_TEXT // LONGEST_TEXT:
        share = max(_LONG_TEXT, _MOST_TEXT // len(long))
        cleaned.update({key: cut(cleaned[key], share) for key in long})


def _learn(attributes: Mapping[str, Any], cleaned: Mapping[str, Any], redactor: Redactor) -> None:
    """Remember what needed no change and never will; the values must be plain.

    Equal values of other types (1, 1.0 and True) stand for each other: all of them are clean.
    """
    known = redactor.known
    if len(known) > _MOST_KNOWN:
        known.clear()
    for key, value in attributes.items():
        is_text = type(value) is str
        if type(value) is float and abs(value) > _LARGEST_SURE_FLOAT:
            continue
        if (
            cleaned.get(key) == value
            and not redactor.decides(key)
            and not (is_text and len(value) > CACHED_CHARACTERS)
            and not (is_text and key == names.PARAM_KEY and redactor.decides(value))
        ):
            known.add((key, value))


def small(values: dict[str, Any]) -> dict[str, Any]:
    """Return plain values as they are when their JSON is no longer than a text may be, else {}."""
    return values if len(msgspec.json.encode(values)) <= LONGEST_TEXT else {}


def plain(value: Any, redactor: Redactor, depth: int = 0) -> Any:
    """Return a value that any JSON encoder takes, built of exact plain types, without secrets."""
    kind = type(value)
    if kind is dict or kind is list or kind is tuple:
        if depth >= _DEEPEST:
            return "…"
        if kind is dict:
            return _plain_dict(value, redactor, depth)
        return _plain_list(list(value), redactor, depth)
    found = None if value is None else scalar(value)
    if found is None:
        return None if value is None else redacted(described(value))
    if type(found) is float and not math.isfinite(found):
        return str(found)  # JSON has no NaN, and null would be taken for None
    return shortened(found, LONGEST_TEXT) if type(found) is str else found


def _plain_list(items: list[Any], redactor: Redactor, depth: int) -> list[Any]:
    hidden = redactor.replacements(items)
    return [
        plain(item, redactor, depth + 1) if replacement is None else replacement
        for item, replacement in zip(items, hidden, strict=True)
    ]


def _plain_dict(value: dict[Any, Any], redactor: Redactor, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    pairs = list(value.items())
    redactor.learn(pairs)
    key_of_values = redactor.key_of_values(pairs)
    for key, item in pairs:
        name = plain(key, redactor, _DEEPEST)
        name = name if type(name) is str else str(name)
        replacement = redactor.replacement_in(name, item, key_of_values)
        result[name] = plain(item, redactor, depth + 1) if replacement is None else replacement
    return result


def _other(value: Any, redactor: Redactor) -> Any:
    kind = type(value)
    if kind is list or kind is tuple:
        items = list(value)
        if len({id(type(item)) for item in items}) <= 1 and all(map(_listable, items)):
            found = _plain_list(items, redactor, 0)
            if _is_short(found):
                return found
    elif kind is not dict:
        return plain(value, redactor)
    return cut(msgspec.json.encode(plain(value, redactor)).decode(), LONGEST_TEXT)


def _clean_json(value: Any, redactor: Redactor) -> str:
    """Return a task's parameters as JSON, hidden by key also when the caller has encoded them."""
    if type(value) is str:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return shortened(value, LONGEST_TEXT)
    return cut(msgspec.json.encode(plain(value, redactor)).decode(), LONGEST_TEXT)


def _listable(item: Any) -> bool:
    kind = type(item)
    if kind is int:
        return bool(-_LARGEST_INT <= item <= _LARGEST_INT)
    return kind is str or kind is bool or kind is float


def _is_short(items: list[Any]) -> bool:
    """Whether a list is no longer than a text may be; a longer one becomes a text, which is cut."""
    if len(items) > _MOST_ITEMS:
        return False
    return sum(len(item) for item in items if type(item) is str) <= LONGEST_TEXT


def _hide_parameter(
    key: str, cleaned: dict[str, Any], attributes: Mapping[str, Any], redactor: Redactor
) -> None:
    """Hide the values of one iteration of the parameter loop when its key says so."""
    for name in _PARAM_VALUES:
        if name in attributes:
            replacement = redactor.replacement(key, attributes[name])
            if replacement is not None:
                cleaned[name] = replacement
