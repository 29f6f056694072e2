"""The verdict on a replay: the same failure, another, none, or that it cannot be told."""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from telemetry import death
from telemetry.reports.company import DifferenceFound
from telemetry.reports.findings import FailureFound, Location
from telemetry.reports.sentences import root_first, root_text
from worker.errors import InputError, ModelUnavailable, OutputError, TaskCancelled
from worker.inputs.fetch import NotInCache
from worker.replay.defaults import DefaultsSeen
from worker.replay.inputs import InputSeen

Verdict = Literal["the same failure", "another failure", "it did not fail", "cannot be replayed"]
SAME: Final = "the same failure"
ANOTHER: Final = "another failure"
NONE: Final = "it did not fail"
UNKNOWN: Final = "cannot be replayed"
WAITED: Final = "CUDA's calls waited for their kernels"  # what became of the wish that they do

# What these say lies outside of the process: in a file, on the disk, in a download.
OF_INPUTS: Final = tuple(each.__name__ for each in (NotInCache, InputError, ModelUnavailable))
_OF_SURROUNDINGS: Final = (*OF_INPUTS, OutputError.__name__, TaskCancelled.__name__)
# What may come from outside, whatever the process does: another program has the memory of the GPU,
# or somebody ends it. The names are those of `telemetry.death`, the queue and torch.
_FROM_OUTSIDE: Final = (
    "sigkill",
    "oom",
    "sigterm",
    "sigint",
    death.LOST,
    death.STOPPED,
    "WorkerLost",
    "OutOfMemoryError",
)
# What CUDA itself says; hints of torch and numbers of the moment follow.
_OF_CUDA: Final = re.compile(r"CUDA(?: driver)? error: (.+?)(?: when calling |\n|$)")


class FailureSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A failure, as short as it can be compared; `behind` tells its root cause, "" without one.

    `own` is the line of ours that called what raised, where that is a library's.
    """

    kind: str
    type: str
    message: str
    place: str
    location: Location
    stage: str
    expression: str
    fingerprint: str
    behind: str = ""
    own: Location | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found; as JSON, what `loop26 replay --json` prints.

    Attributes:
        task: The id of the task that was replayed.
        asked: The id that was asked for.
        type: The task's type.
        attempt: The number of the attempt that was replayed.
        verdict: In three words.
        as_recorded: Whether it ended as it is recorded: in the same failure, or well.
        says: The verdict in one sentence.
        means: What follows from it, in one sentence.
        recorded: The recorded failure; None where there was none.
        replayed: The failure in the replay; None where there was none.
        differences: `this` is then, `other` is now.
        missing: What the record, the queue or the cache has not any more, a sentence each; of a
            failure that came before it was asked for, too.
        altered: What was not as it was then, a sentence each: the replay may differ by it.
        inputs: The inputs that the task names.
        defaults: The model's defaults.
        record: What the record of then lacks, in one sentence; "" where it is whole.
        params_from: Where its parameters come from.
        engine: The engine that did it again.
        device: What that computed on; "" where it did not come so far.
        blocking: What became of the wish that CUDA's calls wait; "" without one.
        at: When, in ISO 8601.
        seconds: How long the task took; `seconds_then` how long it took then, None if unknown.
        conclusive: Whether something follows for the process that ran the task then.
        kept: The replay's own folder, where it was kept.
        forgotten: Why the next investigation will not know of this replay although something
            follows from it, or "".
    """

    task: str
    asked: str
    type: str
    attempt: int
    verdict: Verdict
    as_recorded: bool
    says: str
    means: str
    recorded: FailureSeen | None
    replayed: FailureSeen | None
    differences: list[DifferenceFound]
    missing: list[str]
    altered: list[str]
    inputs: list[InputSeen]
    defaults: DefaultsSeen
    record: str
    params_from: str
    engine: str
    device: str
    blocking: str
    at: str
    seconds: float
    seconds_then: float | None
    conclusive: bool
    kept: str = ""
    forgotten: str = ""


def judged(
    then: FailureFound | None,
    now: FailureFound | None,
    *,
    problem: str,
    missing: Sequence[str],
    blocking: bool,
) -> Verdict:
    """Compare how a task ended with how its replay did.

    Args:
        then: The recorded failure.
        now: The replay's.
        problem: Why nothing can be replayed here, or "".
        missing: What the replay lacked.
        blocking: Whether CUDA's calls waited: then an error of CUDA shows at another line.
    """
    if problem:
        return UNKNOWN
    if now is None:
        return NONE
    same = then is not None and is_same(then, now, blocking=blocking)
    of_inputs = is_of(now, OF_INPUTS)
    # With an input missing the task had another one, and what that fails of is another matter.
    if same and not (of_inputs and missing):
        return SAME
    return UNKNOWN if missing or of_inputs else ANOTHER


def is_same(then: FailureFound, now: FailureFound, *, blocking: bool) -> bool:
    """Whether two failures are one: by their fingerprint, where both have one.

    Inputs fail in one function of many causes, and CUDA at any: there the words decide, too.
    """
    if is_of(now, OF_INPUTS) and then.message != now.message:
        return False
    if is_of_cuda(then) or is_of_cuda(now):
        if _words_of_cuda(then) != _words_of_cuda(now):
            return False
        if blocking and then.type == now.type:
            return True
    if then.fingerprint and now.fingerprint:
        return then.fingerprint == now.fingerprint
    return _told(then) == _told(now)


def is_conclusive(
    verdict: Verdict,
    then: FailureFound | None,
    now: FailureFound | None,
    inexact: Sequence[str],
) -> bool:
    """Whether the verdict says something of the process that ran the task then.

    Nothing does of a failure that may have come from outside. The same failure does, where
    everything was as it was then or it has the same words; that it did not fail, only where
    everything was, and where what failed then was in the process.
    """
    if then is None or is_from_outside(then):
        return False
    if verdict == SAME and now is not None:
        return not inexact or then.message == now.message
    return verdict == NONE and not inexact and not is_of(then, _OF_SURROUNDINGS)


def is_of(failure: FailureFound, kinds: Sequence[str]) -> bool:
    """Whether a failure's type is one of these classes."""
    return failure.type.rpartition(".")[2] in kinds


def is_from_outside(failure: FailureFound) -> bool:
    """Whether a failure may come from outside of the process, whatever that does."""
    return is_of(failure, _FROM_OUTSIDE)


def same_line(then: FailureFound | FailureSeen, now: FailureFound | FailureSeen) -> bool | None:
    """Whether two failures are at one line; None where the line of either is not known."""
    lines = [(one.location.file, one.location.line) for one in (then, now)]
    return lines[0] == lines[1] if all(file for file, _ in lines) else None


def is_of_cuda(failure: FailureFound | None) -> bool:
    """Whether a failure is an error of CUDA, by its own words."""
    return failure is not None and "CUDA" in failure.message


def seen(failure: FailureFound | None) -> FailureSeen | None:
    """Return a failure as short as it can be compared."""
    if failure is None:
        return None
    named = set(FailureSeen.__struct_fields__) - {"behind"}
    facts: dict[str, Any] = {name: getattr(failure, name) for name in named}
    root = root_first(failure)
    return FailureSeen(**facts, behind="" if root is None else root_text(root))


def _words_of_cuda(failure: FailureFound) -> str:
    """Return what CUDA says, without what is around it; "" of what is no error of CUDA."""
    if not is_of_cuda(failure):
        return ""
    found = _OF_CUDA.search(failure.message)
    return found[1] if found else failure.message.partition("\n")[0].partition(". ")[0]


def _told(failure: FailureFound) -> tuple[str, str, str]:
    return failure.type, failure.location.function, failure.stage
