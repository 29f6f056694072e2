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
_MRO_OF: Final = type.__dict__["__mro__"].__get__
_NAMESPACE_OF: Final = type.__dict__["__dict__"].__get__
_CONTENTS_OF: Final[Any] = vars(types.ModuleType)["__dict__"].__get__
# Their tensors' shapes are read by torch itself, or by code that does no more than that.
_TENSORS: Final = ("torch.", "torchao.", "optimum.")
_LONGEST_NAME: Final = 256
# Written by the standard library: their `str` is as good as our own code.
_TRUSTED_TEXT: Final = frozenset(
    {
        pathlib.PosixPath,
        pathlib.PurePosixPath,
        uuid.UUID,
        dt.date,
        dt.timedelta,
        decimal.Decimal,
        complex,
        range,
    }
)
_LARGEST_INT: Final = 2**63 - 1
_DECIMAL_BITS: Final = 1024
_NUMPY_KINDS: Final = frozenset("biufcmMOSU")


def type_name(kind: type) -> str:
    """Return `module.Class`, or `Class` alone for a built-in."""
    module = _MODULE_OF(kind)
    name = plain_text(_QUALNAME_OF(kind))
    if type(module) is not str or module == "builtins":
        return name
    return f"{plain_text(module)}.{name}"


def plain_text(name: str) -> str:
    """Return a name, of bounded length, as exactly a `str`: a subclass may format itself."""
    text = str.__str__(name)[:_LONGEST_NAME]
    # Half of a surrogate pair can be written by no encoder.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


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
    generic = _contents("numpy").get("generic")
    if generic is not None and issubclass(kind, generic) and type_name(kind).startswith("numpy."):
        item = generic.item(value)
        return scalar(item) if are_plain((item,)) else None
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
        return _trusted(value, kind)
    if kind is dt.datetime or kind is dt.time:
        return _moment(value, kind)
    if kind is bytes or kind is bytearray:
        return f"<{kind.__name__} {len(value)}>"
    if kind is types.FunctionType:
        return f"<function {plain_text(value.__qualname__)}>"
    if kind is type:
        return f"<class {type_name(value)}>"
    return _tensor(value, kind) or _array(value, kind) or f"<{type_name(kind)}>"


def _trusted(value: Any, kind: type) -> str:
    try:
        return str(value)
    except (AttributeError, ValueError):  # it was never completed, or has too many digits
        return f"<{type_name(kind)}>"


def _moment(value: Any, kind: Any) -> str:
    zone = kind.tzinfo.__get__(value)
    if zone is None or type(zone) is dt.timezone:
        return str(value)
    # A zone of somebody's own computes its offset.
    return f"{kind.replace(value, tzinfo=None)} <{type_name(type(zone))}>"


def _contents(module: str) -> dict[str, Any]:
    """Return what a module holds, {} unless it is imported: a lazy one stays lazy."""
    found = sys.modules.get(module)
    return {} if found is None else _CONTENTS_OF(found)


class _ById:
    """A set of types that is asked by identity: hashing a class can run its metaclass's code."""

    def __init__(self, kinds: frozenset[type]) -> None:
        self._ids = {id(kind): kind for kind in kinds}

    def __contains__(self, kind: object) -> bool:
        return id(kind) in self._ids


_TRUSTED_TEXT_IDS: Final = _ById(_TRUSTED_TEXT)


def _tensor(value: Any, kind: type) -> str | None:
    torch = _contents("torch")
    base = torch.get("Tensor")
    if base is None:
        return None
    if kind is torch.get("dtype") or kind is torch.get("device"):
        return str(value)
    if not issubclass(kind, base) or (kind is not base and _has_own_dispatch(kind)):
        return None
    # Without this a subclass's __torch_function__ runs on the read of an attribute.
    with torch["_C"].DisableTorchFunctionSubclass():  # torch offers no public one
        try:
            shape = _shape(tuple(base.shape.__get__(value)))
        except RuntimeError:  # a nested one has none
            return None
        dtype = str(base.dtype.__get__(value)).removeprefix("torch.")
        device = base.device.__get__(value)
    return f"<{type_name(kind)} {shape} {dtype} {device}>"


def _has_own_dispatch(kind: type) -> bool:
    """Whether reading a tensor's shape may run code of its class, which nothing switches off."""
    return any(
        not type_name(base).startswith(_TENSORS)
        for base in _MRO_OF(kind)
        if "__torch_dispatch__" in _NAMESPACE_OF(base)
    )


def _array(value: Any, kind: type) -> str | None:
    base = _contents("numpy").get("ndarray")
    if base is None or not issubclass(kind, base):
        return None
    return f"<{type_name(kind)} {_shape(base.shape.__get__(value))} {_dtype(value, base)}>"


def _dtype(array: Any, base: Any) -> str:
    dtype = base.dtype.__get__(array)
    if dtype.names is not None:
        return f"record of {len(dtype.names)}"
    # The text of another's type, or of one for texts with a value of its own for None, is made by
    # code of theirs.
    return str(dtype) if dtype.kind in _NUMPY_KINDS else type_name(dtype.type)


def _shape(shape: tuple[Any, ...]) -> str:
    return "x".join(str(side) if type(side) is int else "?" for side in shape) or "scalar"
