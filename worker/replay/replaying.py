"""A replay, from a recorded task to a verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from telemetry.reports.company import DifferenceFound
from telemetry.reports.completeness import completeness
from telemetry.reports.findings import ReplayFound
from telemetry.reports.progress import moment
from telemetry.reports.wording import value_text
from worker.messages import Progress
from worker.replay import comparison, conclusions
from worker.replay import verdict as verdicts
from worker.replay.again import Again, Setup, do_again
from worker.replay.claims import Claimed
from worker.replay.defaults import DefaultsSeen, defaults_seen
from worker.replay.folder import kept, own_folder
from worker.replay.inputs import InputSeen, Surroundings, inputs_of
from worker.replay.remembered import remember
from worker.replay.subject import Subject
from worker.replay.verdict import Replayed, Verdict

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
    done = _Done(subject=subject, claimed=claimed, setup=setup, inputs=inputs, again=again)
    found = _report(done, _concluded(done), str(kept(folder)) if setup.keep else "")
    return replace(found, forgotten=_remembered(found, done)) if found.conclusive else found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A replay that is done: what was to be replayed, and what became of it."""

    subject: Subject
    claimed: Claimed
    setup: Setup
    inputs: Sequence[InputSeen]
    again: Again

    @property
    def device(self) -> Mapping[str, Any]:
        """What it computed on; empty where it did not come so far."""
        return self.again.ran.device or {}

    @property
    def waited(self) -> bool:
        """Whether CUDA's calls waited for their kernels."""
        of_cuda = self.device.get("kind") == "cuda" or verdicts.is_of_cuda(self.again.failure)
        return self.setup.blocking and of_cuda


@dataclass(frozen=True, slots=True, kw_only=True)
class _Concluded:
    """The verdict on a replay, and all that it hangs on; named as in `Replayed`."""

    verdict: Verdict
    conclusive: bool
    missing: list[str]
    altered: list[str]
    differences: list[DifferenceFound]
    defaults: DefaultsSeen


def _concluded(done: _Done) -> _Concluded:
    """Judge a replay, and say how much its verdict may say."""
    subject, again = done.subject, done.again
    then, now = subject.failure, again.failure
    missing = _missing(done)
    verdict = verdicts.judged(
        then, now, problem=again.problem, missing=missing, blocking=done.waited
    )
    if verdict == verdicts.UNKNOWN and now is not None and not missing:
        missing = [now.message]
    defaults = defaults_seen(subject.snapshot, subject.attempt, again.attempt)
    changed = comparison.surroundings(subject.attempt, again.attempt)
    altered = [*done.claimed.altered, *([] if defaults.exact else [defaults.says])]
    altered += map(_told, changed)
    if done.waited and verdict != verdicts.SAME:
        altered.append(f"{verdicts.WAITED}, which changes who comes first")
    return _Concluded(
        verdict=verdict,
        conclusive=verdicts.is_conclusive(verdict, then, now, [*altered, *missing]),
        missing=missing,
        altered=altered,
        differences=_differences(subject, again) + changed,
        defaults=defaults,
    )


def _report(done: _Done, concluded: _Concluded, kept_at: str) -> Replayed:
    """Put what was concluded beside what it was concluded from."""
    subject, again, verdict = done.subject, done.again, concluded.verdict
    then, now = subject.failure, again.failure
    return Replayed(
        task=subject.row.id,
        asked=subject.asked,
        type=subject.row.type,
        attempt=subject.row.attempt,
        verdict=verdict,
        as_recorded=verdict == verdicts.SAME or (verdict == verdicts.NONE and then is None),
        says=_says(done, concluded),
        means=_means(done, concluded),
        recorded=verdicts.seen(then),
        replayed=verdicts.seen(now),
        differences=concluded.differences,
        missing=concluded.missing,
        altered=concluded.altered,
        inputs=list(done.inputs),
        defaults=concluded.defaults,
        record=_record(subject),
        params_from=done.claimed.source,
        engine=subject.engine or done.setup.configure.engine,
        device=_named(done.device),
        blocking=_blocking(done),
        at=moment(time.time_ns()),
        seconds=again.ran.seconds,
        seconds_then=_seconds_then(subject),
        conclusive=concluded.conclusive,
        kept=kept_at,
    )


def _remembered(found: Replayed, done: _Done) -> str:
    """Keep what was found for the next investigation; say why it cannot be, or ""."""
    shown = ReplayFound(at=found.at, same=found.verdict == verdicts.SAME, says=found.says)
    failure = done.subject.failure
    fingerprint = failure.fingerprint if failure else ""
    try:
        remember(done.setup.home, found.task, shown, fingerprint=fingerprint)
    except OSError as error:
        why = error.strerror or str(error)
        return f"the next investigation will not know of this replay: it cannot be kept: {why}"
    return ""


def _says(done: _Done, concluded: _Concluded) -> str:
    return conclusions.said(
        concluded.verdict,
        done.subject.failure,
        done.again.failure,
        seconds=done.again.ran.seconds,
        missing=concluded.missing,
        blocking=done.waited,
    )


def _means(done: _Done, concluded: _Concluded) -> str:
    return conclusions.meaning(
        concluded.verdict,
        done.subject.failure,
        conclusive=concluded.conclusive,
        inexact=[*concluded.altered, *concluded.missing],
    )


def _named(device: Mapping[str, Any]) -> str:
    kind, name = str(device.get("kind", "")), str(device.get("name", ""))
    return name if kind.casefold() in name.casefold() else f"{kind} {name}"


def _blocking(done: _Done) -> str:
    if not done.setup.blocking:
        return ""
    return verdicts.WAITED if done.waited else "no CUDA was used: nothing waited"


def _missing(done: _Done) -> list[str]:
    """Name what is not there any more, of all that the task is known to ask for."""
    missing = [done.again.problem] if done.again.problem else []
    missing += done.claimed.missing
    missing += [f"{one.kind} {one.source!r} {one.why_not}" for one in done.inputs if one.why_not]
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
