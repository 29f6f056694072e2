"""Which defaults of the model a replay had, against those that its task had then."""

import msgspec

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.wording import value_text
from worker.replay.snapshot import Snapshot, digest_of, recorded_defaults

_MOST_NAMED = 5
_LONGEST_VALUE = 40


class DefaultsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults of a replay, in a sentence; `exact` unless it may differ by them."""

    says: str
    exact: bool
    digest_then: str
    digest_now: str


def defaults_seen(
    snapshot: Snapshot | None, then: Attempt | None, now: Attempt | None
) -> DefaultsSeen:
    """Say which defaults were used, and by their digest whether they are those of then.

    Args:
        snapshot: Those of then, as far as they are recorded.
        then: The attempt; None where nothing is recorded.
        now: The replay's; None where it did not begin.
    """
    known, digest = snapshot.digest if snapshot else "", digest_of(now) if now else ""
    if not digest:
        says, exact = "none were read" if snapshot is None else "none were read this time", True
    elif digest == known:
        says, exact = _same(snapshot, digest), True
    elif snapshot is None:
        says = "the engine's own; none are recorded"
        exact = then is not None and not then.named(names.stage("parameters"))
    else:
        changed = _changed(snapshot, recorded_defaults(now) if now else {})
        says, exact = f"the engine's own, as {snapshot.why_not}; {changed}", False
    return DefaultsSeen(says=says, exact=exact, digest_then=known, digest_now=digest)


def _same(snapshot: Snapshot | None, digest: str) -> str:
    shown = f"sha256 {digest[:12]}…"
    if snapshot is None or snapshot.values is None:
        why_not = snapshot.why_not if snapshot else ""
        return f"the engine's own, as {why_not}; they are those of then by their {shown}"
    return f"the recorded ones, {len(snapshot.values)} of {snapshot.count}, with the same {shown}"


def _changed(snapshot: Snapshot, now: dict[str, object]) -> str:
    """Name the defaults that are others by now, as far as both have been recorded."""
    if not snapshot.digest:
        return "whether they are those of then is not known"
    then = snapshot.recorded
    changed = [key for key in then if key in now and now[key] != then[key]]
    if not changed:
        return "they are not those of then, by their digest"
    told = [
        f"{key} was {value_text(then[key], _LONGEST_VALUE)} "
        f"and is {value_text(now[key], _LONGEST_VALUE)}"
        for key in changed[:_MOST_NAMED]
    ]
    left_out = len(changed) - len(told)
    return f"they are not those of then: {', '.join(told)}{f', {left_out} more' * bool(left_out)}"
