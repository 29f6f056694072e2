"""What can be said of a value without running any code of its own.

`repr`, `str`, `len`, `==`, `isinstance` and attribute access can run code of the object's class:
it may block for ever, exit, or, for a tensor after a CUDA error, crash. So everything here goes
by exact type, and reads through the descriptors of the base types.
"""

import datetime as dt
import decimal
import pathlib
import sys
import types
import uuid
from collections.abc import Iterable
from typing import Any, Final

_MODULE_OF: Final = type.__dict__["__module__"].__get__
_QUALNAME_OF: Final = type.__dict__["__qualname__"].__get__
# Written by the standard library: their `str` is as good as our own code.
_TRUSTED_TEXT: Final = frozenset(
    {
        pathlib.PosixPath,
        pathlib.PurePosixPath,
        uuid.UUID,
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
        decimal.Decimal,
        complex,
        range,
    }
)
_LARGEST_INT: Final = 2**63 - 1
_DECIMAL_BITS: Final = 1024


def type_name(kind: type) -> str:
    """Return `module.Class`, or `Class` alone for a built-in."""
    module = _MODULE_OF(kind)
    name: str = _QUALNAME_OF(kind)
    return f"{module}.{name}" if type(module) is str and module != "builtins" else name


def are_plain(values: Iterable[Any]) -> bool:
    """Whether all values are of exactly a plain type: str, int, float or bool."""
    for value in values:
        kind = type(value)
        if kind is not str and kind is not int and kind is not float and kind is not bool:
            return False
    return True


def scalar(value: Any) -> str | int | float | bool | None:
    """Return the plain value that a subclass of a plain type, or a NumPy scalar, stands for.

    None when it stands for none. A whole number beyond 64 bits becomes its text.
    """
    kind = type(value)
    if kind is bool or kind is float or kind is str:
        return value  # type: ignore[no-any-return]  # its type has just been compared
    if issubclass(kind, int):
        return whole_number(int.__int__(value))
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, float):
        return float.__float__(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and _MODULE_OF(kind) == "numpy" and issubclass(kind, numpy.generic):
        item = numpy.generic.item(value)
        return scalar(item) if type(item) in {bool, int, float, str} else None
    return None


def whole_number(value: int) -> int | str:
    """Return a whole number, as text when no encoder could hold it."""
    if -_LARGEST_INT <= value <= _LARGEST_INT:
        return value
    # Decimal text of a huge number is quadratic, and refused beyond 4300 digits.
    return str(value) if value.bit_length() <= _DECIMAL_BITS else f"<int {value.bit_length()} bits>"


def described(value: Any) -> str:
    """Return a short text for a value that is not plain: its class; a tensor's shape and dtype."""
    kind = type(value)
    if kind in _TRUSTED_TEXT_IDS:
        return str(value)
    if kind is bytes or kind is bytearray:
        return f"<{kind.__name__} {len(value)}>"
    if kind is types.FunctionType:
        return f"<function {value.__qualname__}>"
    if kind is type:
        return f"<class {type_name(value)}>"
    return _tensor(value, kind) or _array(value, kind) or f"<{type_name(kind)}>"


class _ById:
    """A set of types that is asked by identity: hashing a class can run its metaclass's code."""

    def __init__(self, kinds: frozenset[type]) -> None:
        self._ids = {id(kind): kind for kind in kinds}

    def __contains__(self, kind: object) -> bool:
        return id(kind) in self._ids


_TRUSTED_TEXT_IDS: Final = _ById(_TRUSTED_TEXT)


def _tensor(value: Any, kind: type) -> str | None:
    torch = sys.modules.get("torch")
    base = getattr(torch, "Tensor", None)
    if torch is None or base is None:
        return None
    if kind is torch.dtype or kind is torch.device:
        return str(value)
    if not issubclass(kind, base):
        return None
    # Without this a subclass's __torch_function__ runs on the read of an attribute.
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 - torch offers no public one
        shape = tuple(base.shape.__get__(value))
        dtype = str(base.dtype.__get__(value)).removeprefix("torch.")
        device = base.device.__get__(value)
    return f"<{type_name(kind)} {_shape(shape)} {dtype} {device}>"


def _array(value: Any, kind: type) -> str | None:
    numpy = sys.modules.get("numpy")
    base = getattr(numpy, "ndarray", None)
    if base is None or not issubclass(kind, base):
        return None
    return f"<{type_name(kind)} {_shape(base.shape.__get__(value))} {base.dtype.__get__(value)}>"


def _shape(shape: tuple[Any, ...]) -> str:
    return "x".join(str(side) if type(side) is int else "?" for side in shape) or "scalar"
