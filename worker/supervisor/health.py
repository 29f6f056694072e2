"""Health: a status file that the supervisor writes, and the command that reads it.

Many GPU hosts expose no port, so the healthcheck is a command.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from telemetry.journal import is_alive, process_directories
from telemetry.journal.files import replace_file

HEALTH_FILE = "health.json"
STALE_AFTER_S = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer to "is a worker here, and is it well?"."""

    ok: bool
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)


class HealthFile:
    """The supervisor's side: writes its state beside its journal.

    Written from the main loop, so that a file that grows old means a supervisor that is stuck.
    """

    def __init__(self, directory: Path, *, every_s: float = 2.0) -> None:
        self._path = directory / HEALTH_FILE
        self._every_s = every_s
        self._written_at = 0.0
        self._last: dict[str, Any] = {}

    def write(self, facts: dict[str, Any]) -> None:
        """Write the facts when they have changed or the file has grown old."""
        now = time.time()
        if facts == self._last and now - self._written_at < self._every_s:
            return
        self._written_at, self._last = now, facts
        try:
            replace_file(self._path, msgspec.json.encode({"at": now, **facts}))
        except OSError as trouble:  # the file grows old, which is what the healthcheck looks at
            _log.warning("the status file is not written: %s", trouble)


def check(spool: Path, *, stale_after_s: float = STALE_AFTER_S) -> Health:
    """Look at the supervisors of one home; well only if there is one and all are."""
    found = [
        _health_of(directory, stale_after_s)
        for directory in (process_directories(spool) if spool.is_dir() else [])
        if (directory / HEALTH_FILE).exists() and is_alive(directory)
    ]
    if not found:
        return Health(ok=False, sentence="no worker runs here; start one with `loop26 run`")
    return next((health for health in found if not health.ok), found[-1])


def _health_of(directory: Path, stale_after_s: float) -> Health:
    try:
        facts = msgspec.json.decode((directory / HEALTH_FILE).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as exc:
        return Health(ok=False, sentence=f"the status file cannot be read: {exc}")
    age_s = time.time() - facts["at"]
    facts["age_s"] = round(age_s, 1)
    if age_s > stale_after_s:
        sentence = f"the supervisor (pid {facts['pid']}) has not moved for {age_s:.0f} s"
        return Health(ok=False, sentence=sentence, facts=facts)
    sentence = f"{facts['state']}: {facts['sentence']}{_telemetry(facts.get('telemetry', {}))}"
    return Health(ok=True, sentence=sentence, facts=facts)


def _telemetry(facts: Mapping[str, Any]) -> str:
    """Say what has been lost of telemetry; "" where nothing has. A worker is well without it."""
    shipping = facts.get("shipping", {})
    lost = {
        f"faults were contained (the last: {facts.get('last_fault')})": facts.get("faults"),
        "records could not be written": facts.get("lost"),
        "journals were deleted unshipped": shipping.get("lost"),
        "items were refused by a backend": shipping.get("refused"),
        "journals of the dead could not be closed": shipping.get("unclosed"),
    }
    said = [f"{count} {what}" for what, count in lost.items() if count]
    return f"; telemetry: {', '.join(said)}" if said else ""
