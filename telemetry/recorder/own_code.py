"""Which code is our own: by the package it is in, or by the folder that its file lies in."""

import os
import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

IN_APP: Final = ("worker", "telemetry")
FACT: Final = "own_code"  # its name among a process's facts

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_ENVIRONMENT: Final = "pyvenv.cfg"  # stands in a virtual environment's folder
_NAMESPACE_OF: Final[Any] = vars(types.ModuleType)["__dict__"].__get__
_MODULE_OF: Final = type.__dict__["__module__"].__get__


class OwnCode:
    """Tells our own code from that of libraries.

    Args:
        packages: Those that are our own, whatever is in them.
        folders: Those of which all code is our own, but for what is installed below: in an
            environment, in a folder whose name begins with a dot.
    """

    def __init__(self, packages: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
        self._packages = tuple(packages)
        given = [os.path.abspath(folder) for folder in folders if folder]  # noqa: PTH100 - no link is to be followed
        # Code may be imported by the name that was given, or by that of what it is a link to.
        self.folders = tuple(dict.fromkeys([*given, *map(os.path.realpath, given)]))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Return what was our own in a process that is gone, as its facts have it."""
        told = facts.get(FACT)
        folders = told if isinstance(told, list) else []
        return cls(IN_APP, [folder for folder in folders if isinstance(folder, str)])

    def has(self, file: str, module: str) -> bool:
        """Whether the code of a file, which is a module of this name, is our own."""
        named = any(module == name or module.startswith(f"{name}.") for name in self._packages)
        return named or self.path_of(file) is not None

    def has_class(self, kind: type) -> bool:
        """Whether a class is our own; nothing of it is run."""
        module = _MODULE_OF(kind)
        if type(module) is not str:
            return False
        if module.partition(".")[0] in self._packages:
            return True
        found = dict.get(sys.modules, module) if self.folders else None
        file = _NAMESPACE_OF(found).get("__file__") if type(found) is types.ModuleType else None
        return type(file) is str and self.path_of(file) is not None

    def path_of(self, file: str) -> str | None:
        """Return a file's path below one of the folders; None where it is no code of theirs."""
        return _below(file, self.folders) if self.folders else None


NO_CODE: Final = OwnCode()
OUR_PACKAGES: Final = OwnCode(IN_APP)


class _Framed(Protocol):
    @property
    def in_app(self) -> bool: ...


_F = TypeVar("_F", bound=_Framed)


def own_caller(frames: Sequence[_F]) -> _F | None:
    """Return the frame of our own code that called into the library in which a stack ends.

    It is the innermost of ours; None where the stack ends in our own code, or has none of it.
    """
    if frames and frames[-1].in_app:
        return None
    return next((frame for frame in reversed(frames) if frame.in_app), None)


@lru_cache(maxsize=4096)
def _below(file: str, folders: tuple[str, ...]) -> str | None:
    path = os.path.normpath(file)
    for folder in folders:
        if path.startswith(os.path.join(folder, "")):  # noqa: PTH118 - with a separator at its end
            below = os.path.relpath(path, folder)
            return None if _is_installed(folder, below) else below
    return None


def _is_installed(folder: str, below: str) -> bool:
    """Whether a file is of an environment, or otherwise hidden, below a folder of ours."""
    at = Path(folder)
    parts = Path(below).parts[:-1]
    for before, name in zip(("", *parts), parts, strict=False):
        at /= name
        is_library = before.startswith("lib") and name.startswith("python3")
        if name.startswith(".") or name in _INSTALLED or is_library:
            return True
        if os.path.exists(at / _ENVIRONMENT):  # noqa: PTH110 - which raises for no path
            return True
    return False
