"""The policy of retries: after how many failures of a kind a task of a type fails for good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from telemetry import death
from worker.settings.queue_settings import QueueSettings
from worker.settings.retrying import DEATH, ERROR, EVERY_TYPE, HANG
from worker.store.base import Event
from worker.task import TASK_TYPES, Claim, Failure

LONGEST_DELAY_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How many failures of each kind a task may have; the last of them fails it for good.

    Each kind is counted by itself, and an attempt that was given back by none. A rule for a task's
    own type wins over one for every type, and that over the general values.

    Attributes:
        max_attempts: Errors that may pass, of types that no rule is about.
        max_deaths: The same of deaths. A hang is not tried again unless a rule says so.
        rules: By "TYPE.KIND", as `worker.settings.retrying` reads them.
    """

    max_attempts: int = 3
    max_deaths: int = 3
    rules: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: QueueSettings) -> Self:
        """Return the policy that the settings say."""
        return cls(
            max_attempts=settings.max_attempts,
            max_deaths=settings.max_deaths,
            rules=settings.retries,
        )

    def most(self, task_type: str, kind: str) -> int:
        """Return the failure of a kind at which a task of this type fails for good."""
        general = {ERROR: self.max_attempts, DEATH: self.max_deaths, HANG: 1}
        for rule in (f"{task_type}.{kind}", f"{EVERY_TYPE}.{kind}"):
            if rule in self.rules:
                return self.rules[rule]
        return general[kind]

    @property
    def deaths(self) -> int:
        """Deaths of types that no rule of their own is about."""
        return self.most("", DEATH)

    @property
    def deaths_by_type(self) -> dict[str, int]:
        """Deaths of the types that have a rule of their own."""
        named = {name: f"{name}.{DEATH}" for name in TASK_TYPES}
        return {name: self.rules[rule] for name, rule in named.items() if rule in self.rules}


def kind_of(failure: Failure) -> str:
    """Return the kind that a failure counts as, other than a death."""
    return HANG if failure.kind == death.HANG else ERROR


def failures_like(failure: Failure, claim: Claim, history: Sequence[Event]) -> int:
    """Count the failures of a task that are of a failure's kind, with this one of the claim."""
    earlier = [
        event.data.get("failure")
        for event in history
        if event.name == "retried"
        # What this claim was settled by before, when the answer was lost, is this failure.
        and event.data.get("token") != str(claim.token)
    ]
    hangs = [one for one in earlier if isinstance(one, dict) and one.get("kind") == death.HANG]
    return 1 + (len(hangs) if kind_of(failure) == HANG else len(earlier) - len(hangs))


def delay_s(attempt: int) -> float:
    """Return how long a task waits after an attempt: twice as long each time, up to a bound."""
    return min(float(2 ** min(attempt, 30)), LONGEST_DELAY_S)
