"""What came of one drill, and of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.drill.checks import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one drill.

    Attributes:
        fault: Its name.
        tasks: The ids of the tasks that it is about.
        checks: What was planted against what was found.
        settled_s: Seconds from the fault to the settled row, where both are known.
        took_s: Seconds that the whole drill took.
        skipped: Why the fault could not be made here; "" where it was.
        simulated: Whether it only looked like the fault.
    """

    fault: str
    tasks: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    settled_s: float | None = None
    took_s: float = 0.0
    skipped: str = ""
    simulated: bool = False

    @property
    def right(self) -> bool:
        """Whether all that was planted was found; never of what was skipped."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def verdict(self) -> str:
        """In one word."""
        if self.skipped:
            return "skipped"
        return "right" if self.right else "WRONG"

    def named(self, name: str) -> list[Check]:
        """Return the checks of a name: one a part, as a rule."""
        return [check for check in self.checks if check.name == name]


def all_right(results: Sequence[Result]) -> bool:
    """Whether none of them is wrong; one that was skipped is neither right nor wrong."""
    return all(result.right or result.skipped for result in results)


def as_json(results: Sequence[Result], folder: Path) -> dict[str, Any]:
    """Return results as programs read them."""
    return {
        "ok": all_right(results),
        "folder": str(folder),
        "drills": [
            {
                "fault": result.fault,
                "verdict": result.verdict.lower(),
                "simulated": result.simulated,
                "skipped": result.skipped,
                "tasks": list(result.tasks),
                "settled_s": result.settled_s,
                "took_s": round(result.took_s, 3),
                "checks": [
                    {
                        "part": check.part,
                        "name": check.name,
                        "planted": check.planted,
                        "found": check.found,
                        "ok": check.ok,
                    }
                    for check in result.checks
                ],
            }
            for result in results
        ],
    }
