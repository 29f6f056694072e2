"""The queue under examination: whether it answers, what stands in it, and who could get at it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from worker.doctor.database import examine_database
from worker.doctor.finding import Finding, Verdict
from worker.errors import QueueError, QueueForbidden, QueueUnavailable
from worker.store.base import TaskStore
from worker.store.diagnosis import Diagnosis

_SKEW_S: Final = 5.0  # leases are by the database's clock alone; spans of a journey by both
_SLOW_S: Final = 0.5
_LONG_QUEUED_S: Final = 3600.0

# By the kinds of `worker.store.diagnosis`: what it is called, how bad it is, and what to do.
_OF_TASKS: Final = {
    "expired": (
        "expired leases",
        Verdict.ERROR,
        "two minutes and more ago, and nobody has taken them back: no worker sweeps; start one",
    ),
    "without_lease": (
        "tasks in nobody's hands",
        Verdict.ERROR,
        (
            "they are In Progress without a lease: another application set them to it, or a "
            "worker of before; set them to Queued, or cancel them with `loop26 cancel ID`"
        ),
    ),
    "finished_but_waiting": (
        "orchestrators that wait for nothing",
        Verdict.ERROR,
        (
            "all their children have ended: another application set one's status itself; cancel "
            "them with `loop26 cancel ID`, or set their status as well"
        ),
    ),
    "orphans": (
        "orphans of a cascade",
        Verdict.ERROR,
        (
            "what they wait for failed or was cancelled, by another application's hand: they can "
            "never be Complete; cancel them with `loop26 cancel ID`"
        ),
    ),
    "never_ready": (
        "tasks that wait for nobody",
        Verdict.ERROR,
        "a task in their dependant_on is not in this queue; cancel them with `loop26 cancel ID`",
    ),
    "poison": (
        "poison tasks",
        Verdict.WARNING,
        "each has taken two workers with it already; see why with `loop26 investigate ID`",
    ),
}


def examine_queue(store: TaskStore) -> list[Finding]:
    """Ask a queue how it is. Every trouble is a finding; nothing is raised."""
    asked_at, began = datetime.now(UTC), time.monotonic()
    try:
        diagnosis = store.diagnose()
    except QueueForbidden:
        return [*_as_worker(store), _untold()]
    except QueueError as trouble:
        return [_unreachable(trouble)]
    took_s = time.monotonic() - began
    return [
        _reached(diagnosis, took_s),
        _clock(diagnosis, asked_at, took_s),
        *_tasks(diagnosis),
        _oldest(diagnosis),
        *examine_database(diagnosis),
    ]


def _as_worker(store: TaskStore) -> Iterator[Finding]:
    """Yield what a worker's token may ask: whether it is let in."""
    try:
        warnings = store.check()
    except QueueError as trouble:
        yield _unreachable(trouble)
        return
    yield Finding(name="queue", verdict=Verdict.OK, found="answers, and lets this worker in")
    for warning in warnings:
        yield Finding(name="right", verdict=Verdict.WARNING, found=warning)


def _untold() -> Finding:
    return Finding(
        name="tasks and database",
        verdict=Verdict.WARNING,
        found="not looked at: that is for operators",
        advice="ask again with SUPABASE_SECRET_KEY, where operators work",
    )


def _unreachable(trouble: QueueError) -> Finding:
    advice = ""
    if isinstance(trouble, QueueUnavailable):
        advice = "see whether the address is right, and the project is not paused"
    elif isinstance(trouble, QueueForbidden):
        advice = "see whether key and token are this project's, and still good"
    return Finding(name="queue", verdict=Verdict.ERROR, found=str(trouble), advice=advice)


def _reached(diagnosis: Diagnosis, took_s: float) -> Finding:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(diagnosis.statuses.items()))
    found = (
        f"{diagnosis.server} answers in {took_s * 1000:.0f} ms; schema version "
        f"{diagnosis.schema_version}; {counts or 'no tasks'}; "
        f"{diagnosis.workers} worker{'' if diagnosis.workers == 1 else 's'} heard of lately"
    )
    slow = took_s > _SLOW_S
    return Finding(
        name="queue",
        verdict=Verdict.WARNING if slow else Verdict.OK,
        found=found,
        advice="that is slow: see the database's load, and how far it is from here" if slow else "",
    )


def _clock(diagnosis: Diagnosis, asked_at: datetime, took_s: float) -> Finding:
    """Compare clocks; half of what the answer took may lie on either side."""
    skew_s = (diagnosis.now - asked_at).total_seconds() - took_s / 2
    beside = abs(skew_s) > _SKEW_S + took_s / 2
    return Finding(
        name="clock",
        verdict=Verdict.WARNING if beside else Verdict.OK,
        found=f"this machine's is {abs(skew_s):.2f} s {'behind' if skew_s > 0 else 'ahead of'} "
        "the queue's",
        advice="traces of one journey will look out of order: see that NTP runs" if beside else "",
    )


def _tasks(diagnosis: Diagnosis) -> Iterator[Finding]:
    for kind, (name, verdict, advice) in _OF_TASKS.items():
        counted = diagnosis.tasks[kind]
        yield Finding(
            name=name,
            verdict=verdict if counted.count else Verdict.OK,
            found=str(counted.count) if counted.count else "none",
            advice=advice if counted.count else "",
            ids=counted.ids,
        )


def _oldest(diagnosis: Diagnosis) -> Finding:
    if diagnosis.oldest_queued is None:
        return Finding(name="waiting", verdict=Verdict.OK, found="no task waits for a worker")
    waited_s = (diagnosis.now - diagnosis.oldest_queued).total_seconds()
    long = waited_s > _LONG_QUEUED_S
    return Finding(
        name="waiting",
        verdict=Verdict.WARNING if long else Verdict.OK,
        found=f"the oldest that is ready has waited for {waited_s / 60:.0f} min",
        advice="start more workers, or such as accept its type (LOOP26_TASK_TYPES)" if long else "",
    )
