"""Whether somebody else wrote a task's status while it ran, as the queue's history tells it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from telemetry.reports.case import QueueEvent
from telemetry.reports.evidence import CONFIRMED, OPEN, RULED_OUT, Evidence, Said
from telemetry.reports.wording import duration, one_line

_ENDS: Final = ("failed", "died", "retried", "released", "completed", "spawned")
_OTHERS: Final = ("cancelled", "cascaded", "worker_lost")  # written by somebody else


def race(evidence: Evidence) -> Said:
    """Tell whether anybody else had to do with the task while this attempt ran."""
    if not evidence.events:
        return OPEN, "this source has no history of the queue"
    claims = [at for at, event in enumerate(evidence.events) if event.name == "claimed"]
    if not claims:
        return OPEN, "the history of the queue has no claim of this attempt"
    claim = evidence.events[claims[-1]]
    after = _until_its_end(evidence.events[claims[-1] + 1 :])
    if said := _of_two_claims(evidence.events, claims):
        return CONFIRMED, said
    if said := _of_a_fall(after, evidence):
        return RULED_OUT, said
    return _of_others(claim, after, evidence)


def _of_others(claim: QueueEvent, after: Sequence[QueueEvent], evidence: Evidence) -> Said:
    """Tell whether anybody else wrote to the row before the attempt ended."""
    for event in after:
        swept = event.name in _OTHERS and not _is_own_silence(event, evidence)
        if swept or (event.name == "refused" and _is_call_of(event, claim)):
            return CONFIRMED, f"the queue has '{event.name}' while it ran: {_facts(event.data)}"
    told = ", ".join(event.name for event in after) or "nothing"
    if not any(event.name in _ENDS for event in after):
        return OPEN, f"the history of the queue does not have this attempt's end: it has {told}"
    owner = claim.data.get("worker_id") or "one worker"
    return (
        RULED_OUT,
        f"after its claim by {owner} the queue has only this attempt's own events: {told}",
    )


def _of_two_claims(events: Sequence[QueueEvent], claims: Sequence[int]) -> str:
    """Say that the newest claim followed one that had not ended; "" where it did not."""
    first, second = [None, *claims][-2:]
    if first is None or second is None:
        return ""
    if any(event.name in (*_ENDS, *_OTHERS) for event in events[first:second]):
        return ""
    before, now = events[first], events[second]
    said = f"it was claimed by {_owner(now)} while the claim by {_owner(before)} had not ended"
    late = [one for one in events[first:] if one.name == "refused" and _is_call_of(one, before)]
    if late:
        worker = one_line(str(before.data.get("worker_id") or "the first"), 80)
        why = one_line(str(late[0].data.get("reason") or "without a reason"), 200)
        said = f"{said}; {worker}'s call was refused later: {why}"
    return said


def _of_a_fall(after: Sequence[QueueEvent], evidence: Evidence) -> str:
    """Say that another task's failure, which felled this one as it failed, has no part in it."""
    error = evidence.error
    told = [event for event in after if event.name in (*_ENDS, *_OTHERS, "refused")]
    if not evidence.was_raised or not told or told[0].name != "cascaded":
        return ""
    if error is not None and told[0].at_ns > error.at_ns:
        later = duration((told[0].at_ns - error.at_ns) / 1e6)
        return f"it had failed when another wrote its row: 'cascaded' came {later} later"
    if evidence.fell_with:
        root = one_line(evidence.fell_with, 60)
        return f"{root}, with which its row says it fell, had failed in the same way before that"
    return ""


def _owner(claim: QueueEvent) -> str:
    worker = one_line(str(claim.data.get("worker_id") or "one worker"), 80)
    return f"{worker} (attempt {one_line(str(claim.data.get('attempt')), 20)})"


def _is_call_of(refused: QueueEvent, claim: QueueEvent) -> bool:
    """Whether a refused call is of this very claim, and not of one that it followed."""
    return all(refused.data.get(name) == claim.data.get(name) for name in ("worker_id", "attempt"))


def _is_own_silence(event: QueueEvent, evidence: Evidence) -> bool:
    """Whether a claim was taken back because its worker had died: that is how it ended, no race."""
    return event.name == "worker_lost" and evidence.failure.kind == "death"


def _until_its_end(events: Sequence[QueueEvent]) -> list[QueueEvent]:
    """Return the events of an attempt, up to the one that it ended with."""
    found = []
    for event in events:
        found.append(event)
        if event.name in _ENDS:
            break
    return found


def _facts(data: Mapping[str, Any]) -> str:
    return ", ".join(_pairs(data)) or "without a reason"


def _pairs(data: Mapping[str, Any]) -> Iterator[str]:
    for name in ("worker_id", "call", "reason", "status", "lease_expires_at"):
        if data.get(name):
            yield f"{name} {one_line(str(data[name]), 120)}"
