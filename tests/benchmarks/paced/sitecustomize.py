"""In a task process: has its engine be one that takes a set time and computes nothing.

Python imports this at its start, by PYTHONPATH. PACED_SEGMENT_S is how long a generation takes.
"""

import os
import sys
from typing import Any


def pace(segment_s: float) -> None:
    """Have whatever engine is asked for be the paced one."""
    from worker.engines import registry

    def paced(name: str, **_said: Any) -> Any:
        import paced_engine

        return paced_engine.PacedEngine(name, segment_s)

    registry.engine_named = paced


if "worker.process" in sys.orig_argv:
    pace(float(os.environ["PACED_SEGMENT_S"]))
