"""Values that fail the test on anything that is done to them, and what is shown of each."""

import datetime as dt
import sys
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from telemetry.recorder.locals import Snapshot
from telemetry.recorder.redaction import Redactor


def refuse(*_: Any) -> Any:
    """Stand for every method that must not be called."""
    pytest.fail("foreign code was called")


class Refusing(type):
    """A class whose own class fails the test, too."""

    __getattribute__ = __hash__ = __eq__ = __repr__ = __instancecheck__ = refuse


def hostile() -> Any:
    """Return an object that fails the test on anything that is done to it, or to its class.

    The class is no global of the module: pytest looks at those.
    """

    class Hostile(metaclass=Refusing):
        __repr__ = __str__ = __len__ = __eq__ = __hash__ = __bool__ = refuse
        __iter__ = __float__ = __int__ = __getattr__ = __getattribute__ = refuse

    return Hostile()


class HostileList(list[Any]):
    """A list whose own methods fail the test."""

    __len__ = __iter__ = __repr__ = refuse


class HostileDict(dict[str, Any]):
    """A dictionary whose own methods fail the test."""

    __len__ = __iter__ = __repr__ = items = keys = __getitem__ = refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """As the worker's own are."""

    model: str
    loras: tuple[str, ...] = ()
    secret: str = field(default="hunter22", repr=False)


def frame_with(**values: Any) -> FrameType:
    """Return a frame whose local `held` is these values."""

    def hold(held: dict[str, Any]) -> FrameType:  # noqa: ARG001 - it is a local to be found
        return sys._getframe()

    return hold(values)


def shown(value: Any, **facts: Any) -> Any:
    """Return a snapshot of one value, one level inside a dictionary."""
    return Snapshot(Redactor(), **facts).of_frame(frame_with(value=value))["held"]["value"]


class Text(str):
    """A text whose own methods fail the test."""

    __slots__ = ()
    __str__ = __repr__ = __format__ = __len__ = __eq__ = __hash__ = __getitem__ = refuse


class Number(int):
    """A number whose own methods fail the test."""

    __str__ = __repr__ = __int__ = __index__ = __eq__ = __hash__ = __lt__ = __bool__ = refuse


class Liar:
    """Says that it is a dictionary."""

    __class__ = dict  # type: ignore[assignment]  # the lie


class Zone(dt.tzinfo):
    """A time zone whose offset is computed."""

    utcoffset = dst = tzname = refuse


class Slotted:
    """Has the descriptor of another class, and a name that is no text, among its names."""

    __slots__ = ("own",)


def renamed(name: str) -> Any:
    """Return an object of a class whose name, and one whose module's, is no plain text."""
    kind = type("Plain", (), {"__module__": hostile(), "other": Slotted.own})  # type: ignore[attr-defined]  # a slot
    kind.__qualname__ = name
    return kind()


def named_function(name: str) -> Any:
    """Return a function whose name is no plain text."""

    def function() -> None:
        pass

    function.__qualname__ = name
    return function


def lazy_module() -> Any:
    """Return a module that is imported when anything is asked of it."""

    class Lazy(ModuleType):
        __getattribute__ = refuse

    return Lazy("lazy")


@dataclass
class Borrowed:
    """Shows its fields, of which one is another class's."""

    field: int = 1


Borrowed.other = Slotted.own  # type: ignore[attr-defined]  # a slot of another class

HOSTILE: dict[str, tuple[Callable[[], Any], Any]] = {
    "a text's own methods": (lambda: Text("text"), "text"),
    "a number's": (lambda: Number(26), 26),
    "a class that lies": (Liar, f"<{__name__}.Liar>"),
    "a zone": (
        lambda: dt.datetime(2026, 2, 24, tzinfo=Zone()),
        f"2026-02-24 00:00:00 <{__name__}.Zone>",
    ),
    "a class's name": (lambda: renamed(Text("Loud")), "<Loud>"),
    "a function's name": (lambda: named_function(Text("loud")), "<function loud>"),
    "a descriptor of another class": (Borrowed, {"<class>": f"{__name__}.Borrowed", "field": 1}),
    "a lazy module": (lazy_module, f"<{__name__}.lazy_module.<locals>.Lazy>"),
    "a proxy": (lambda: weakref.proxy(KEPT), "<weakref.ProxyType>"),
    "a path never made": (
        lambda: object.__new__(type(Path())),
        f"<{type(Path()).__module__}.PosixPath>",
    ),
    "an id never made": (lambda: uuid.UUID.__new__(uuid.UUID), "<uuid.UUID>"),
    "a range beyond all digits": (lambda: range(10**5000), "<range>"),
    "a number of 10 MB": (lambda: 1 << 80_000_000, "<int 80000001 bits>"),
    "50 MB": (lambda: bytes(50_000_000), "<bytes 50000000>"),
    "half a pair": (lambda: "\udc80", "\\udc80"),
    "a generator": (lambda: (1 for _ in ()), "<generator>"),
}
KEPT = {1}.__class__()  # alive as long as a proxy of it
