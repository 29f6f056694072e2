"""A verdict in a sentence, and what follows from it in another."""

from collections.abc import Mapping, Sequence

from telemetry.reports.findings import FailureFound
from telemetry.reports.places import place_text
from telemetry.reports.sentences import root_first, root_text
from telemetry.reports.wording import duration, one_line
from worker.replay import verdict as verdicts
from worker.replay.verdict import Verdict

_LONGEST = 400
_FOLLOWS: Mapping[Verdict, str] = {
    verdicts.SAME: (
        "no state of the process that ran it is needed for the failure: "
        "it is in the task, the model or the code"
    ),
    verdicts.NONE: (
        "the same task with the same values goes well by itself: a state that its process had "
        "by then, the machine or a race is the cause"
    ),
}


def said(
    verdict: Verdict,
    then: FailureFound | None,
    now: FailureFound | None,
    *,
    seconds: float,
    missing: Sequence[str],
    blocking: bool,
) -> str:
    """Say what the replay saw.

    Args:
        verdict: The verdict.
        then: The recorded failure.
        now: The replay's.
        seconds: How long the task took in the replay.
        missing: What it lacked.
        blocking: Whether CUDA's calls waited.
    """
    if verdict == verdicts.UNKNOWN:
        return f"it cannot be replayed: {one_line('; '.join(missing), _LONGEST)}"
    if now is None:
        before = "it did not fail then, and does not now" if then is None else "it did not fail"
        return f"{before}: in a fresh process it took {duration(seconds * 1000)}"
    if then is None:
        how = "it did not fail then, and fails now"
    elif verdict == verdicts.ANOTHER:
        how = "it failed otherwise in a fresh process"
    else:
        how = f"it failed in the same way {_where(then, now, blocking=blocking)}"
    return f"{how}: {told(now)}"


def _where(then: FailureFound, now: FailureFound, *, blocking: bool) -> str:
    same = verdicts.same_line(then, now) if blocking else None
    if same is None:
        return "in a fresh process"
    return f"at {'the same' if same else 'another'} line, now that CUDA's calls waited"


def meaning(
    verdict: Verdict, then: FailureFound | None, *, conclusive: bool, inexact: Sequence[str]
) -> str:
    """Say what follows for the process that ran the task; "" where nothing is to be said."""
    if verdict == verdicts.ANOTHER and inexact:
        return "it may be another because not everything is as it was then"
    if verdict not in (verdicts.SAME, verdicts.NONE) or then is None:
        return ""
    if conclusive:
        return _FOLLOWS[verdict]
    return f"nothing follows for the failure: {_why_nothing(verdict, then, inexact)}"


def _why_nothing(verdict: Verdict, then: FailureFound, inexact: Sequence[str]) -> str:
    if verdicts.is_from_outside(then) or not inexact:
        return f"{then.type} may come from outside of the process"
    others = "its words are others, and " if verdict == verdicts.SAME else ""
    return f"{others}not everything is as it was then"


def told(failure: FailureFound) -> str:
    """Tell a failure in one line: what, where, and what is behind it."""
    what = f"{failure.type}: {failure.message}" if failure.message else failure.type
    place = place_text(failure.location, failure.place, failure.own)
    said = one_line(what, _LONGEST)
    said = f"{said} ({one_line(place, 2 * _LONGEST)})" if place else said
    root = root_first(failure)
    return said if root is None else f"{said}; {one_line(root_text(root), 2 * _LONGEST)}"
