"""What a supervisor is made of, and what it hears of."""

import queue
from dataclasses import dataclass
from uuid import UUID

from worker.console import Console
from worker.supervisor.child import ChildEvent
from worker.supervisor.claiming import Claimer
from worker.supervisor.hands import Hands
from worker.supervisor.keeper import Keeper
from worker.supervisor.postmortem import Postmortems
from worker.supervisor.presence import Presence
from worker.supervisor.signals import StopAsked
from worker.supervisor.stall import Stall
from worker.supervisor.upload import Uploaded


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """A task in hand was cancelled, failed with its family, or was taken from this worker."""

    token: UUID
    reason: str


SupervisorEvent = ChildEvent | StopAsked | LeaseLost | Uploaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a supervisor works with; `worker.composition` puts it together."""

    claimer: Claimer
    hands: Hands
    keeper: Keeper
    presence: Presence
    stall: Stall
    postmortems: Postmortems
    console: Console
    inbox: "queue.SimpleQueue[SupervisorEvent]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a supervisor works; times in seconds, see the settings of the same names."""

    poll_s: float
    grace_s: float
    recycle_after_tasks: int
    until_idle: bool
