"""A replay, from a recorded task to a verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from telemetry.reports.completeness import completeness
from telemetry.reports.findings import DifferenceFound, ReplayFound
from telemetry.reports.progress import moment
from telemetry.reports.wording import value_text
from worker.messages import Progress
from worker.replay import comparison, conclusions
from worker.replay import verdict as verdicts
from worker.replay.again import Again, Setup, do_again
from worker.replay.claims import Claimed
from worker.replay.defaults import defaults_seen
from worker.replay.folder import kept, own_folder
from worker.replay.inputs import InputSeen, Surroundings, inputs_of
from worker.replay.remembered import remember
from worker.replay.subject import Subject
from worker.replay.verdict import Replayed

_LONGEST_VALUE = 60


def replay(
    subject: Subject,
    claimed: Claimed,
    setup: Setup,
    around: Surroundings,
    *,
    show: Callable[[Progress], None],
) -> Replayed:
    """Do a recorded task again, say whether it ends as it did then, and remember what that shows.

    Must be called from the main thread. Neither the queue nor the outputs are touched, and the
    replay's folder is gone at the end, unless it is to be kept.
    """
    inputs = inputs_of(claimed.claim, around)
    with own_folder(setup.home, keep=setup.keep) as folder:
        again = do_again(
            claimed.claim,
            setup,
            folder,
            engine=subject.engine,
            snapshot=subject.snapshot,
            show=show,
        )
    found = _report(subject, claimed, inputs, again, setup, str(kept(folder)) if setup.keep else "")
    if found.conclusive:
        shown = ReplayFound(at=found.at, same=found.verdict == verdicts.SAME, says=found.says)
        fingerprint = subject.failure.fingerprint if subject.failure else ""
        remember(setup.home, subject.row.id, shown, fingerprint=fingerprint)
    return found


def _report(
    subject: Subject,
    claimed: Claimed,
    inputs: Sequence[InputSeen],
    again: Again,
    setup: Setup,
    kept_at: str,
) -> Replayed:
    then, now = subject.failure, again.failure
    missing = _missing(claimed, inputs, again)
    device: dict[str, Any] = dict(again.ran.device or {})
    blocking = setup.blocking and (device.get("kind") == "cuda" or verdicts.is_of_cuda(now))
    verdict = verdicts.judged(then, now, problem=again.problem, missing=missing, blocking=blocking)
    defaults = defaults_seen(subject.snapshot, subject.attempt, again.attempt)
    changed = comparison.surroundings(subject.attempt, again.attempt)
    inexact = [*claimed.altered, *([] if defaults.exact else [defaults.says]), *map(_told, changed)]
    if blocking and verdict != verdicts.SAME:
        inexact.append("CUDA's calls waited for their kernels, which changes who comes first")
    conclusive = verdicts.is_conclusive(verdict, then, [*inexact, *missing])
    return Replayed(
        task=subject.row.id,
        asked=subject.asked,
        type=subject.row.type,
        attempt=subject.row.attempt,
        verdict=verdict,
        as_recorded=verdict == verdicts.SAME or (verdict == verdicts.NONE and then is None),
        says=conclusions.said(
            verdict,
            then,
            now,
            seconds=again.ran.seconds,
            missing=missing,
            blocking=blocking,
        ),
        means=conclusions.meaning(verdict, then, conclusive=conclusive, inexact=inexact),
        recorded=verdicts.seen(then),
        replayed=verdicts.seen(now),
        differences=_differences(subject, again) + changed,
        missing=[] if verdict == verdicts.SAME else missing,
        altered=inexact,
        inputs=list(inputs),
        defaults=defaults,
        record=_record(subject),
        params_from=claimed.source,
        engine=subject.engine or setup.configure.engine,
        device=_named(device),
        blocking=_blocking(setup, heeded=blocking),
        at=moment(time.time_ns()),
        seconds=again.ran.seconds,
        seconds_then=_seconds_then(subject),
        conclusive=conclusive,
        kept=kept_at,
    )


def _named(device: Mapping[str, Any]) -> str:
    kind, name = str(device.get("kind", "")), str(device.get("name", ""))
    return name if kind.casefold() in name.casefold() else f"{kind} {name}"


def _blocking(setup: Setup, *, heeded: bool) -> str:
    if not setup.blocking:
        return ""
    return "CUDA's calls waited for their kernels" if heeded else "no CUDA was used: nothing waited"


def _missing(claimed: Claimed, inputs: Sequence[InputSeen], again: Again) -> list[str]:
    """Name what is not there any more: what the task asked for, then what the replay stopped at."""
    missing = [again.problem] if again.problem else []
    missing += claimed.missing
    missing += [f"{one.kind} {one.source!r} {one.why_not}" for one in inputs if one.why_not]
    now = again.failure
    if now is not None and verdicts.is_of(now, verdicts.OF_INPUTS) and not missing:
        missing.append(now.message)
    return missing


def _differences(subject: Subject, again: Again) -> list[DifferenceFound]:
    then, now = subject.failure, again.failure
    found = [] if then is None or now is None else comparison.failures(then, now)
    return found + comparison.progress(subject.attempt, again.attempt)


def _told(one: DifferenceFound) -> str:
    then, now = (value_text(value, _LONGEST_VALUE) for value in (one.this, one.other))
    return f"{one.name} was {then} and is {now}"


def _record(subject: Subject) -> str:
    if subject.attempt is None:
        return "nothing is recorded of it but its row"
    found = completeness(subject.attempt, "")
    return "" if found.complete else found.says


def _seconds_then(subject: Subject) -> float | None:
    root = subject.attempt.root if subject.attempt else None
    took = root.duration_ns if root else None
    return None if took is None else took / 1e9
