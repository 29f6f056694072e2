"""Faults for a worker's processes, put into them from outside: the product knows nothing of it.

`inject` names a point in the product and a function of `faults/deaths.py`, `devices.py` or
`hangs.py`, which is called there, once over all processes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import worker
from tests.acceptance.home import Home

FOLDER = Path(__file__).with_name("faults")
SOURCES = tuple(FOLDER / name for name in ("deaths.py", "devices.py", "hangs.py"))
PRODUCT = Path(worker.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A function of the product, before whose `call`-th call in a task something happens.

    `loop` is the position in the loop over the parameters by then; `opener` the product's file and
    a text in the line of it that opens the innermost span. `unloads` is for what is called only
    while no model is loaded.
    """

    module: str
    function: str
    call: int = 1
    loop: tuple[int, int] = (32, 32)
    opener: tuple[str, str] = ("", "")
    unloads: bool = False


# Where a task process is inside each stage of a generation.
STAGES = {
    "inputs": Point(
        module="worker.handlers.generate",
        function="fetch_pictures",
        loop=(0, 0),
        opener=("handlers/generate.py", 'with stage(context, "inputs")'),
    ),
    "parameters": Point(
        module="worker.params.choosing",
        function="Chooser.decide",
        call=26,
        loop=(26, 32),
        opener=("params/resolve.py", "with telemetry.iteration("),
    ),
    "model": Point(
        module="worker.engines.diffusers_wan",
        function="load_pipeline",
        opener=("engines/diffusers_wan.py", 'with self._call("load"'),
        unloads=True,
    ),
    "generate": Point(
        module="worker.engines.denoise",
        function="Denoiser._velocity",
        call=2,
        opener=("engines/denoise.py", "with self._span("),
    ),
    "encode": Point(
        module="worker.video.files",
        function="write_thumbnail",
        opener=("handlers/encoding.py", 'with stage(self._context, "encode")'),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that was injected."""

    name: str
    point: Point
    file: Path

    @property
    def met_at(self) -> float:
        """When a process met it, in seconds since the epoch; 0 while none has."""
        met = self.file.with_suffix(".met")
        return float(met.read_text() or 0) if met.exists() else 0.0


def inject(
    home: Home,
    point: Point,
    fault: str,
    *,
    task: UUID | None = None,
    words: str = "",
    **options: Any,
) -> Fault:
    """Have a worker that is started from now on meet a fault, in one task or in whichever is first.

    It says `words` on stderr before, and gets `options` as its arguments. Points in
    `worker.supervisor` are met by the supervisor, all others by a task process.
    """
    folder = home.path / "injected-faults"
    folder.mkdir(exist_ok=True)
    role = "supervisor" if point.module.startswith("worker.supervisor.") else "task"
    file = folder / f"{role}-{len(list(folder.iterdir())):03}.json"
    told = {
        "module": point.module,
        "function": point.function,
        "call": point.call,
        "unloads": point.unloads,
        "fault": fault,
        "source": source_of(fault).stem,
        "task": str(task or ""),
        "words": words,
        "options": options,
    }
    file.write_text(json.dumps(told))
    home.environment |= {"PYTHONPATH": str(FOLDER), "INJECTED_FAULTS": str(folder)}
    return Fault(name=fault, point=point, file=file)


def source_of(fault: str) -> Path:
    """Return the file that a fault is in."""
    (found,) = [path for path in SOURCES if f"\ndef {fault}(" in path.read_text()]
    return found


def line_of(source: Path, mark: str) -> int:
    """Return the number of the line of a file that ends in this comment; 0 without one."""
    lines = source.read_text().splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.endswith(f"# {mark}")), 0)


def place_of(fault: Fault) -> tuple[str, int]:
    """Return the file and line that must be named for a fault.

    That of the comment with its name; without one it leaves no stack, and the line that opened the
    innermost span at its point stands for it.
    """
    source = source_of(fault.name)
    if number := line_of(source, fault.name):
        return str(source), number
    opener, text = fault.point.opener
    path = PRODUCT / opener
    (number,) = [n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line]
    return str(path), number
