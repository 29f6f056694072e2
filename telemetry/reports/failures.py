"""Failures grouped by fingerprint: one line for one cause, however many tasks it has struck."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from telemetry.reports.findings import Location
from telemetry.reports.places import told_location, told_own

UNTOLD: Final = "untold"  # the kind of a failure that nobody wrote down


class FailedOnce(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that failed, as the queue keeps it; `when` is ISO 8601 in UTC, or ""."""

    task: str
    task_type: str
    model: str
    attempt: int
    worker: str
    when: str
    failure: dict[str, Any]


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that failed in one way; lists are newest first, without repeats.

    The place, the message and the sentence are the newest's; `own` is the line of ours that called
    what raised, where that is a library's. `is_new` is whether it has failed
    under `release` alone; None where an attempt does not say its release. Of kind "untold" are the
    tasks that another application set to Failed; `first` and `last` are "" where no time is told.
    """

    fingerprint: str
    kind: str
    type: str
    message: str
    sentence: str
    place: str
    location: Location
    stage: str
    count: int
    first: str
    last: str
    tasks: list[str]
    task_types: list[str]
    workers: list[str]
    models: list[str]
    releases: list[str]
    is_new: bool | None
    own: Location | None = None


def grouped(attempts: Sequence[FailedOnce], *, release: str, since: str = "") -> list[FailureGroup]:
    """Group attempts by fingerprint, the group that failed last first.

    Args:
        attempts: All that are known, newest first: what came before `since` decides what is new.
        release: The one that runs now.
        since: Groups that have not failed since then are left out; ISO 8601, "" takes all.
    """
    found: dict[str, list[FailedOnce]] = {}
    for attempt in attempts:
        found.setdefault(_key(attempt.failure), []).append(attempt)
    groups = [_group(members, release) for members in found.values()]
    return [group for group in groups if group.last >= since]


def _key(failure: Mapping[str, Any]) -> str:
    """Return what failures of one cause share; one without a fingerprint goes by its type."""
    if failure.get("kind") == UNTOLD:
        return UNTOLD
    return str(failure.get("fingerprint") or f"type {failure.get('type', '')}")


def _group(members: Sequence[FailedOnce], release: str) -> FailureGroup:
    newest = members[0].failure
    releases = _distinct(str(one.failure.get("release") or "") for one in members)
    unsaid = any(not one.failure.get("release") for one in members)
    times = [one.when for one in members if one.when]
    return FailureGroup(
        fingerprint=_text(newest, "fingerprint"),
        kind=_text(newest, "kind"),
        type=_text(newest, "type"),
        message=_text(newest, "message"),
        sentence=_text(newest, "sentence"),
        place=_text(newest, "place"),
        location=told_location(newest),
        stage=_text(newest, "stage"),
        count=len(members),
        first=min(times, default=""),
        last=max(times, default=""),
        tasks=_distinct(one.task for one in members),
        task_types=_distinct(one.task_type for one in members),
        workers=_distinct(one.worker for one in members),
        models=_distinct(one.model for one in members),
        releases=releases,
        is_new=None if unsaid and releases in ([], [release]) else releases == [release],
        own=told_own(newest),
    )


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""
