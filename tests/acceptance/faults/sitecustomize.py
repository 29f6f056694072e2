"""Puts faults into the processes of a worker: Python imports this at its start, by PYTHONPATH.

The folder that the environment variable INJECTED_FAULTS names has a file for each fault that is
still to happen, and says there what is to happen where, and in which task; see
`tests.acceptance.injection`. Whoever renames the file meets the fault.
"""

import functools
import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

# Where a task begins.
TASKS = ("worker.handlers.generate", "Generate.run")


class Pending:
    """A fault that is still to happen, as its file tells it."""

    def __init__(self, file: Path) -> None:
        told = json.loads(file.read_text())
        self.point: tuple[str, str] = (told["module"], told["function"])
        self.call: int = told["call"]
        self.task: str = told["task"]
        self.unloads: bool = told["unloads"]
        self._file = file
        self._told = told

    def happen(self) -> None:
        """Meet it, unless another process was first."""
        fault = getattr(importlib.import_module(self._told["source"]), self._told["fault"])
        met = self._file.with_suffix(".met")
        try:
            self._file.rename(met)
        except FileNotFoundError:
            return
        os.write(2, self._told["words"].encode())
        met.write_text(str(time.time()))
        fault(**self._told["options"])


class Injector:
    """Has functions meet faults before they do what is theirs: changed when Python loads them.

    Calls are counted from the beginning of a task, before the first from that of the process.
    """

    def __init__(self, faults: list[Pending]) -> None:
        self._faults = faults
        self._task = ""
        self._calls: Counter[tuple[str, str]] = Counter()

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a module as Python does, and have it changed after it was loaded."""
        if name not in {TASKS[0], *(fault.point[0] for fault in self._faults)}:
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
        name = module.__name__
        for point in {fault.point for fault in self._faults if fault.point[0] == name}:
            before(module, point[1], functools.partial(self._meet, point))
        if name == TASKS[0]:
            before(module, TASKS[1], self._begin)

    def _begin(self, _handler: Any, context: Any) -> None:
        self._task = str(context.claim.task.id)
        self._calls.clear()
        if any(fault.unloads and fault.task == self._task for fault in self._faults):
            context.engine.unload()

    def _meet(self, point: tuple[str, str], *_args: Any, **_kwargs: Any) -> None:
        self._calls[point] += 1
        for fault in self._faults:
            here = fault.point == point and fault.call == self._calls[point]
            if here and fault.task in {"", self._task}:
                fault.happen()


def before(module: ModuleType, function: str, act: Callable[..., None]) -> None:
    """Have something happen before each call of a function."""
    owner, _, name = function.rpartition(".")
    place: Any = attrgetter(owner)(module) if owner else module
    original = getattr(place, name)

    @functools.wraps(original)
    def acts_first(*args: Any, **kwargs: Any) -> Any:
        act(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(place, name, acts_first)


if "INJECTED_FAULTS" in os.environ:
    role = "task" if "worker.process" in sys.orig_argv else "supervisor"
    files = sorted(Path(os.environ["INJECTED_FAULTS"]).glob(f"{role}-*.json"))
    sys.meta_path.insert(0, Injector([Pending(file) for file in files]))  # type: ignore[arg-type]  # it finds specs
