"""Whether two tasks are alike, in a word and in a sentence, and what their records do not carry."""

from collections.abc import Mapping, Sequence
from typing import Final

from telemetry.names import engine
from telemetry.reports.comparison.side import Compared
from telemetry.reports.comparison.significance import hidden, impersonal, same
from telemetry.reports.comparison.value import Alike, Divergence
from telemetry.reports.findings import FailureFound
from telemetry.reports.places import place_text
from telemetry.reports.sentences import lacks
from telemetry.reports.wording import one_line

_LONGEST: Final = 300
_MOST_NAMES: Final = 6
# What the sentence says anyway.
_SAID: Final = frozenset({("crash", "fingerprint")})
_KINDS: Final = {"layers": " (layer)", "timings": " (time)"}
_CALLS: Final = frozenset(map(engine, ("load", "generate")))  # stages of theirs tell the same
_STATUS: Final = ("lifecycle", "status")
_DEATHS: Final = ("death", "hang")


def alike(
    views: Sequence[Compared], parted: Sequence[Divergence], matters: Mapping[str, Sequence[str]]
) -> Alike:
    """Say in a word how alike two tasks are.

    Two failures are the same one by their fingerprint, whatever else differs. That nothing differs
    is only said of two that are over and whose records have no holes.
    """
    failures = [view.found.failure for view in views]
    if all(failures):
        return _of_failures(views)
    if any(failures):
        return "one failed"
    if parted or matters:
        return "significant differences"
    sure = all(view.whole and view.over for view in views)
    return "no significant difference" if sure else "not decidable"


def sentence(
    how: Alike,
    views: Sequence[Compared],
    parted: Sequence[Divergence],
    matters: Mapping[str, Sequence[str]],
) -> str:
    """Say in one sentence how alike two tasks are, and where first they are not."""
    failures = [view.found.failure for view in views]
    match how:
        case "the same failure":
            return f"the same failure: {_failed(failures[0])}; {_else(views, matters)}"
        case "different failures":
            both = (f"{name} {_failed(one)}" for name, one in zip("AB", failures, strict=True))
            return f"different failures: {'; '.join(both)}{_first(parted, views)}"
        case "one failed":
            others = {name: _besides_ends(name, found) for name, found in matters.items()}
            return f"{_one_failed(views)}{_first(parted, views)}; {_else(views, others)}"
        case "significant differences":
            differ = _still(matters) or "their course"
            return f"{_none_failed(views)}, and they differ in {differ}{_first(parted, views)}"
        case "no significant difference":
            return f"no significant difference: both are {views[0].row.status.lower()}"
    return _undecided(views)


def caveats(views: Sequence[Compared]) -> list[str]:
    """Say what the records of the two do not carry."""
    found = []
    for name, view in zip("AB", views, strict=True):
        record = view.found.completeness
        if view.attempt is None:
            found.append(f"{name}: {record.says}; what is shown of it is what its row knows")
        elif not record.complete:
            found.append(
                f"{name}: the record is incomplete ({lacks(record)}); what it does not show may "
                "have happened all the same, and where it ends is not where the task ended"
            )
        if not view.over and view.attempt is not None:
            found.append(f"{name} is not over: what it has not done yet is no difference")
        if view.found.asked != view.row.id:
            found.append(f"{name} was asked for as {view.found.asked}: this is what is behind it")
        found += [f"{name}: {one}" for one in view.found.completeness.unknown]
    hides = [one for one in views if any(hidden(param.value) for param in one.found.params)]
    if hides:
        found.append("prompts or secrets are hidden in the records: those are not compared")
    return found


def _of_failures(views: Sequence[Compared]) -> Alike:
    a, b = (view.found.failure for view in views)
    if a is None or b is None:
        return "one failed"
    if a.fingerprint and b.fingerprint:
        return "the same failure" if a.fingerprint == b.fingerprint else "different failures"
    told = [_told(view, one) for view, one in zip(views, (a, b), strict=True)]
    if same(told[0], told[1]):
        return "the same failure"
    return "different failures" if a.type != b.type else "not decidable"


def _told(view: Compared, failure: FailureFound) -> list[object]:
    """Return what makes a failure, of one that has no fingerprint."""
    facts = failure.kind, failure.type, failure.message, failure.location.function, failure.stage
    return [impersonal(one, view.row) for one in facts]


def _failed(failure: FailureFound | None) -> str:
    if failure is None:
        return "did not fail"
    said = f"{failure.type}: {failure.message}" if failure.message else failure.type
    if failure.kind in _DEATHS:
        said = failure.message or failure.type
    where = place_text(failure.location, failure.place, failure.own)
    stage = f" in stage {one_line(failure.stage, 60)}" if failure.stage else ""
    return one_line(said, _LONGEST) + (f", {where}" if where else "") + stage


def _one_failed(views: Sequence[Compared]) -> str:
    first = views[0].found.failure is not None
    failed, other = views if first else views[::-1]
    names = "AB" if first else "BA"
    did = {
        "Complete": "went well",
        "Cancelled": "was cancelled",
        "Queued": "waits in the queue",
        "In Progress": "is at work and has not failed",
    }.get(other.row.status, f"is {one_line(other.row.status, 40)}")
    return f"{names[0]} failed ({_failed(failed.found.failure)}); {names[1]} {did}"


def _none_failed(views: Sequence[Compared]) -> str:
    at_work = _not_over(views)
    return f"neither has failed, {' and '.join(at_work)}" if at_work else "neither failed"


def _not_over(views: Sequence[Compared]) -> list[str]:
    return [
        f"{name} is {one_line(view.row.status, 40)}"
        for name, view in zip("AB", views, strict=True)
        if not view.over
    ]


def _besides_ends(section: str, found: Sequence[str]) -> list[str]:
    """Leave out what only tells that one of the two has failed."""
    return [one for one in found if section != "crash" and (section, one) != _STATUS]


def _else(views: Sequence[Compared], matters: Mapping[str, Sequence[str]]) -> str:
    """Say in what two tasks differ that end alike, or besides their ends."""
    if still := _still(matters):
        return f"they differ in {still}"
    whole = all(view.whole for view in views)
    return "nothing else that matters differs" if whole else "nothing else is known to differ"


def _first(parted: Sequence[Divergence], views: Sequence[Compared]) -> str:
    if parted:
        return f"; the first divergence: {one_line(parted[0].says, _LONGEST)}"
    if all(view.attempt for view in views):
        return "; as far as both records go, the runs are alike"
    return "; their courses cannot be compared: a side has no record"


def _still(matters: Mapping[str, Sequence[str]]) -> str:
    """Name what differs and matters, the most telling first."""
    names = [
        one_line(name, 40) + _KINDS.get(section, "")
        for section, found in matters.items()
        for name in found
        if (section, name) not in _SAID and not (section == "timings" and name in _CALLS)
    ]
    names = list(dict.fromkeys(names))
    left = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {left:,} more" if left > 0 else "")


def _undecided(views: Sequence[Compared]) -> str:
    if all(view.found.failure for view in views):
        return "both failed, and whether in one way is not decidable: a fingerprint is not known"
    because = []
    for name, view in zip("AB", views, strict=True):
        if view.attempt is None:
            because.append(f"nothing is recorded of {name}")
        elif not view.whole:
            because.append(f"the record of {name} is incomplete")
    because += _not_over(views)
    return f"no significant difference is known, and it is not decidable: {', '.join(because)}"
