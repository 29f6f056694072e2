"""How a process died: from what the kernel and its stacks say to a journal's end and an error."""

from telemetry.death.closing import Closing, close_dead
from telemetry.death.ends import HANG, LOST, STOPPED, bounded, from_returncode, lost, stopped

__all__ = [
    "HANG",
    "LOST",
    "STOPPED",
    "Closing",
    "bounded",
    "close_dead",
    "from_returncode",
    "lost",
    "stopped",
]
