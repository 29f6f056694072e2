"""Has a task process die where its tasks say: Python imports this at its start, by PYTHONPATH.

A task whose `shot_id` is "segfault@encode" meets that fault at that point. DEATHS_POINTS says where
the points are, DEATHS_TOLD names the folder in which the moment of each death is written down.
"""

import functools
import importlib
import json
import os
import sys
import time
from collections import Counter
from operator import attrgetter
from pathlib import Path
from typing import Any


class Doom:
    """What the task in hand is to meet, and where."""

    def __init__(self) -> None:
        self.cell = ""
        self.calls: Counter[str] = Counter()

    def take(self, cell: str) -> None:
        """Begin a task."""
        self.cell = cell
        self.calls.clear()

    def meet(self, point: str, call: int) -> None:
        """Meet the fault, at the call that it is for."""
        fault, _, stage = self.cell.partition("@")
        self.calls[point] += 1
        if stage == point and self.calls[point] == call:
            import deadly_faults

            os.write(2, f"the last words before {self.cell}, password=hunter2hunter2\n".encode())
            (Path(os.environ["DEATHS_TOLD"]) / self.cell).write_text(str(time.time()))
            getattr(deadly_faults, fault)()


def before(module: str, function: str, act: Any) -> None:
    """Have something happen before each call of a function."""
    owner, _, name = function.rpartition(".")
    place: Any = importlib.import_module(module)
    place = attrgetter(owner)(place) if owner else place
    original = getattr(place, name)

    @functools.wraps(original)
    def acts_first(*args: Any, **kwargs: Any) -> Any:
        act(*args)
        return original(*args, **kwargs)

    setattr(place, name, acts_first)


def arm() -> None:
    """Put the faults in their places."""
    doom = Doom()

    def begin(_handler: Any, context: Any) -> None:
        doom.take(context.claim.task.params.get("shot_id", ""))
        if doom.cell.endswith("@model"):
            context.engine.unload()

    for stage, point in json.loads(os.environ["DEATHS_POINTS"]).items():
        meet = functools.partial(doom.meet, stage, point["call"])
        before(point["module"], point["function"], lambda *_args, meet=meet: meet())
    before("worker.handlers.generate", "Generate.run", begin)


if "DEATHS_POINTS" in os.environ and "worker.process" in sys.orig_argv:
    arm()
