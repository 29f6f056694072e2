"""The Python stacks that a process leaves, written from C: how they come to be, what they say."""

from telemetry.stacks.reading import Dump, Thread, described, is_part, parse, read
from telemetry.stacks.writing import ASK, ASKED_BY, STACKS_FILE, renew, write_to

__all__ = [
    "ASK",
    "ASKED_BY",
    "STACKS_FILE",
    "Dump",
    "Thread",
    "described",
    "is_part",
    "parse",
    "read",
    "renew",
    "write_to",
]
