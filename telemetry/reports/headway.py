"""What an investigation finds of how far an attempt got: stages, loop, steps of denoising."""

import msgspec


class IterationFound(msgspec.Struct, frozen=True, kw_only=True):
    """One iteration of the parameter loop."""

    index: int
    key: str
    ended: str
    ms: float


class LoopFound(msgspec.Struct, frozen=True, kw_only=True):
    """How far the parameter loop got: 32 of 32 is a loop that had finished."""

    completed: int
    total: int
    last: IterationFound | None
    slowest: IterationFound | None


class StepsFound(msgspec.Struct, frozen=True, kw_only=True):
    """How far denoising got; `ms` are the steps' durations, in order."""

    completed: int
    total: int
    phase: str
    ms: list[float]


class StageFound(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the task.

    `ended`: "ok", "failed", "cut off" by a death, "open" (at work: its process lives), "unknown":
    its process is dead or has gone on, and its end is not in the record; then `ms` is None.
    """

    name: str
    began: str
    ms: float | None
    ended: str
