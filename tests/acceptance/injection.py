"""Faults for a worker's processes, put into them from outside: the product knows nothing of it.

`inject` names a point in the product and a function of `inject/injected_faults.py`, which is called
there once. Several faults are met by one process after another, in the order of their injection.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.acceptance.home import Home

FOLDER = Path(__file__).with_name("inject")
FAULTS = FOLDER / "injected_faults.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A function of the product, before whose `call`-th call in a process something happens."""

    module: str
    function: str
    call: int = 1


# Where a task process is inside each stage of a generation.
STAGES = {
    "inputs": Point(module="worker.handlers.generate", function="fetch_pictures"),
    "parameters": Point(module="worker.params.choosing", function="Chooser.decide", call=26),
    "model": Point(module="worker.engines.diffusers_wan", function="load_pipeline"),
    "generate": Point(module="worker.engines.denoise", function="Denoiser._velocity", call=2),
    "encode": Point(module="worker.output.video", function="write_video"),
}


def inject(home: Home, point: Point, fault: str) -> Path:
    """Have a worker that is started from now on meet a fault; return the file that is gone then.

    Points in `worker.supervisor` are met by the supervisor, all others by a task process.
    """
    folder = home.path / "injected-faults"
    folder.mkdir(exist_ok=True)
    role = "supervisor" if point.module.startswith("worker.supervisor.") else "task"
    file = folder / f"{role}-{len(list(folder.iterdir())):03}.json"
    file.write_text(json.dumps({**asdict(point), "fault": fault}))
    home.environment |= {"PYTHONPATH": str(FOLDER), "INJECTED_FAULTS": str(folder)}
    return file


def line_of(fault: str) -> int:
    """Return the line that a fault ends at."""
    lines = FAULTS.read_text().splitlines()
    return next(n for n, line in enumerate(lines, start=1) if line.endswith(f"# {fault}"))
