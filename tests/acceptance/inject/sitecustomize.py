"""Puts a fault into a process of a worker: Python imports this at its start, by PYTHONPATH.

The folder that the environment variable INJECTED_FAULTS names has a file for each fault that is
still to happen, and says there what is to happen where; see `tests.acceptance.injection`. A process
meets the first of them, once: whoever takes the file away does it.
"""

import functools
import json
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from itertools import count
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import injected_faults


class Injector:
    """Replaces one function, when its module has been loaded, by one that meets a fault first."""

    def __init__(self, file: Path, module: str, function: str, call: int, fault: str) -> None:
        self._file = file
        self._module = module
        self._function = function
        self._call = call
        self._fault: Callable[[], object] = getattr(injected_faults, fault)
        self._calls = count(1)

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find the module as Python does, and have it changed after it was loaded."""
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            self._change(module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]  # this one loader
        return spec

    def _change(self, module: ModuleType) -> None:
        owner, _, name = self._function.rpartition(".")
        place: Any = attrgetter(owner)(module) if owner else module
        original = getattr(place, name)

        @functools.wraps(original)
        def meets_a_fault(*args: Any, **kwargs: Any) -> Any:
            if next(self._calls) == self._call and self._is_first():
                self._fault()
            return original(*args, **kwargs)

        setattr(place, name, meets_a_fault)

    def _is_first(self) -> bool:
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True


def inject(folder: Path) -> None:
    """Do what the first file says that is for this process."""
    role = "task" if "worker.process" in sys.orig_argv else "supervisor"
    for file in sorted(folder.glob(f"{role}-*.json")):
        told = json.loads(file.read_text())
        sys.meta_path.insert(0, Injector(file, **told))  # type: ignore[arg-type]  # it finds specs
        break


if "INJECTED_FAULTS" in os.environ:
    inject(Path(os.environ["INJECTED_FAULTS"]))
