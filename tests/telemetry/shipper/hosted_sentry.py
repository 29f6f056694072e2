"""What hosted Sentry keeps of an event's variables on arrival; a server of one's own cuts nothing.

As Relay does it (`relay-event-normalization`, `trimming.rs`): the variables of a frame are sorted
by name, and a budget of 2,048 bytes is spent on them in that order, 5 levels deep. Stricter than
Relay in two points, for those who cut elsewhere: names count, too, and there are no more than 50.
"""

import copy
import json
from typing import Any

MOST_BYTES = 2048
DEEPEST = 5
MOST_KEYS = 50


def arrived(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as hosted Sentry shows it."""
    event = copy.deepcopy(event)
    for value in event["exception"]["values"]:
        for frame in (value["stacktrace"] or {}).get("frames", ()):
            frame["vars"] = Bag().kept(frame.get("vars") or {}, DEEPEST)
    for name, context in event["contexts"].items():
        event["contexts"][name] = Bag(8192).kept(context, 7)
    return event


class Bag:
    """Spends one budget of bytes on a value and all that is in it."""

    def __init__(self, size: int = MOST_BYTES) -> None:
        self.left = size

    def kept(self, value: Any, levels: int) -> Any:
        """Return what is left of a value; None for what is gone."""
        if isinstance(value, dict | list) and levels == 1:
            value = json.dumps(value)
        match value:
            case dict():
                return self._mapping(value, levels)
            case list():
                items = [self.kept(one, levels - 1) for one in value if self.left > 0]
                self._spend(2)
                return items
            case str() if len(value) > self.left:
                value = f"{value[: max(0, self.left - 3)]}..."
        self._spend(len(json.dumps(value, ensure_ascii=False).encode()) + 1)
        return value

    def _mapping(self, value: dict[str, Any], levels: int) -> dict[str, Any]:
        found = {}
        for name in sorted(value)[:MOST_KEYS]:
            if self.left <= 0:
                break
            self._spend(len(name) + 4)
            found[name] = self.kept(value[name], levels - 1)
        self._spend(2)
        return found

    def _spend(self, size: int) -> None:
        self.left = max(0, self.left - size)
