"""Snapshots of local variables, repr-free: no code of the values runs.

Limits keep an error readable and its record small: an engine function in the field has 395
locals, and a list may hold a million tensors.
"""

import gc
import itertools
import math
import time
import types
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final

from telemetry.recorder.guard import Guard
from telemetry.recorder.own_code import NO_CODE, OwnCode
from telemetry.recorder.redaction import Redactor, shortened
from telemetry.recorder.values import described, scalar, type_name

DEPTH: Final = 4
ITEMS: Final = 64
STRING_CHARACTERS: Final = 2048
LOCALS_PER_FRAME: Final = 600
TOTAL_BYTES: Final = 450 * 1024
SECONDS: Final = 0.5

CUT: Final = "…"  # stands where something was left out
_VALUE_BYTES: Final = 12  # about what a number and its separators take
_MRO_OF: Final = type.__dict__["__mro__"].__get__
_NAMESPACE_OF: Final = type.__dict__["__dict__"].__get__
_OWN_PACKAGE: Final = __name__.partition(".")[0]
_OPTIMISED: Final = 0x0001  # CO_OPTIMIZED: the frame of a function, not of a class or module body


class Snapshot:
    """Takes the locals of one error's frames, within one budget of bytes and of time.

    Args:
        redactor: Decides what is hidden by its name.
        own: Code of whose objects the fields are shown, not the class alone.
        guard: Contains what a value does after all: the other values are still shown.
        clock: Seconds; for tests.
    """

    def __init__(
        self,
        redactor: Redactor,
        *,
        own: OwnCode = NO_CODE,
        guard: Guard | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redactor = redactor
        self._own = own
        self._guard = guard or Guard()
        self._clock = clock
        self._deadline = clock() + SECONDS
        self._bytes_left = TOTAL_BYTES

    def learn_prompts(self, frames: Iterable[FrameType]) -> None:
        """Have the prompts in some frames hidden in all: one passes its own on as a `text`."""
        for frame in frames:
            with self._guard:
                found = own_locals(frame)
                self._redactor.learn(itertools.islice(dict.items(found), LOCALS_PER_FRAME))

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self._bytes_left <= 0 or self._clock() > self._deadline

    def of_frame(self, frame: FrameType) -> dict[str, Any]:
        """Return a frame's locals: dictionaries, lists and scalars only, to any encoder's taste."""
        if self.spent:
            return {}
        with self._guard:
            return self._of_frame(frame)
        return {}

    def _of_frame(self, frame: FrameType) -> dict[str, Any]:
        found = own_locals(frame)
        if found is frame.f_globals:
            found = {name: value for name, value in found.items() if not _is_special(name)}
        return self._pairs(found, LOCALS_PER_FRAME, DEPTH)

    def _value(self, value: Any, depth: int) -> Any:
        if self.spent:
            return CUT
        self._bytes_left -= _VALUE_BYTES
        if value is None:
            return None
        found = scalar(value)
        if found is None:
            return self._container(value, depth)
        if type(found) is str:
            return self._text(found)
        if type(found) is float and not math.isfinite(found):
            return str(found)
        return found

    def _text(self, text: str) -> str:
        text = shortened(text, STRING_CHARACTERS)
        self._bytes_left -= len(text) if text.isascii() else len(text.encode())
        return text

    def _container(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is types.MappingProxyType:
            # What a proxy stands for, without asking it: its methods are those of the mapping.
            behind = gc.get_referents(value)
            if len(behind) == 1 and type(behind[0]) is dict:
                value, kind = behind[0], dict
        if issubclass(kind, dict):
            if depth <= 0:
                return f"<{type_name(kind)} {dict.__len__(value)}>"
            return self._pairs(value, ITEMS, depth - 1)
        for base in (list, tuple, set, frozenset):
            if issubclass(kind, base):
                return self._items(base, value, depth)
        if depth > 0 and self._has_shown_fields(kind):
            fields = _fields(value, kind)
            return {"<class>": type_name(kind), **self._pairs(fields, ITEMS, depth - 1)}
        return self._text(described(value))

    def _items(self, base: Any, value: Any, depth: int) -> Any:
        count = base.__len__(value)
        if depth <= 0:
            return f"<{type_name(type(value))} {count}>"
        try:
            first = list(itertools.islice(base.__iter__(value), ITEMS))
        except RuntimeError:  # another thread changes the set
            return f"<{type_name(type(value))} {count}>"
        hidden = self._redactor.replacements(first)
        shown = [
            self._value(item, depth - 1) if replacement is None else replacement
            for item, replacement in zip(first, hidden, strict=True)
        ]
        return [*shown, f"{CUT} {count - len(shown)} more"] if count > len(shown) else shown

    def _pairs(self, values: Any, limit: int, depth: int) -> dict[str, Any]:
        try:
            first = list(itertools.islice(dict.items(values), limit))
        except RuntimeError:  # another thread changes the dictionary
            return {CUT: "changed while it was read"}
        self._redactor.learn(first)
        key_of_values = self._redactor.key_of_values(first)
        shown: dict[str, Any] = {}
        for key, value in first:
            if self.spent:
                break
            with self._guard:
                name = self._key(key, shown)
                replacement = self._redactor.replacement_in(name, value, key_of_values)
                shown[name] = self._value(value, depth) if replacement is None else replacement
        missing = dict.__len__(values) - len(shown)
        if missing > 0:
            shown[CUT] = f"{missing} more"
        return shown

    def _key(self, key: Any, shown: Iterable[str]) -> str:
        found = None if key is None else scalar(key)
        text = "None" if key is None else described(key) if found is None else str(found)
        name = text = self._text(text)
        number = 2
        while name in shown:
            name, number = f"{text} #{number}", number + 1
        return name

    def _has_shown_fields(self, kind: type) -> bool:
        package = type_name(kind).partition(".")[0]
        if package == _OWN_PACKAGE:
            return False  # a recorder in a local leads to all of telemetry's own state
        return self._own.has_class(kind) or "__dataclass_fields__" in _NAMESPACE_OF(kind)


def own_locals(frame: FrameType) -> dict[str, Any]:
    """Return the variables of a frame, without asking a mapping of a class body's metaclass."""
    found: Any = frame.f_locals
    if type(found) is dict:
        return found
    # From 3.13 on a function's are a proxy that copies itself without running anything.
    return dict(found) if frame.f_code.co_flags & _OPTIMISED else {}


def _is_special(name: object) -> bool:
    return type(name) is str and name[:2] == "__"


def _fields(value: Any, kind: type) -> dict[str, Any]:
    """Return what an object holds in its own dictionary and slots, read by C descriptors alone."""
    found: dict[str, Any] = {}
    for base in reversed(_MRO_OF(kind)):
        for name, member in _NAMESPACE_OF(base).items():
            is_slot = type(member) is types.MemberDescriptorType
            if type(name) is not str or not (is_slot or type(member) is types.GetSetDescriptorType):
                continue
            try:
                if is_slot:
                    found[name] = member.__get__(value)
                elif name == "__dict__" and type(own := member.__get__(value)) is dict:
                    found.update(own)
            except (AttributeError, TypeError):  # it was never set; it is another class's
                continue
    return found
