"""What to do next: each step follows from something that was found."""

from collections.abc import Iterator

from telemetry.reports.findings import (
    CompletenessFound,
    FailureFound,
    HypothesisFound,
    RelativeFound,
    SameFailureFound,
)
from telemetry.reports.hypotheses import POLLUTION
from telemetry.reports.wording import one_line, value_text

_DEATHS = {
    "oom": "The kernel ended it for memory: lower resolution or frames, set offload, or give the "
    "container more memory.",
    "sigkill": "Somebody outside sent SIGKILL: look at the host's log and at its memory events.",
    "segfault": "Native code crashed: see its last words, and try other versions of it.",
    "abort": "Native code gave up: its last words say why.",
    "exit": "Something called exit inside of the process: look at the line that it stopped at.",
    "lost": "Nobody saw the process end: look at the host's log for that time.",
    "WorkerLost": "The worker fell silent: look at its host's log, and whether it still runs.",
}


def next_steps(
    failure: FailureFound,
    hypotheses: list[HypothesisFound],
    completeness: CompletenessFound,
    same: list[SameFailureFound],
    relatives: list[RelativeFound],
    replay: str,
) -> list[str]:
    """Return recommended steps, the first ones first; `same` are of other tasks."""
    steps = [*_of_record(completeness), *_of_failure(failure), *_of_cuda(failure, replay)]
    steps += [_of_verdict(one) for one in hypotheses if one.verdict == "confirmed"]
    undecided = any(one.name == POLLUTION and one.verdict == "not decidable" for one in hypotheses)
    if undecided and replay:
        steps.append(f"Run it again in a fresh process, to decide the open causes: {replay}")
    if same:
        tasks = len({one.task for one in same})
        other = "1 other task" if tasks == 1 else f"{tasks} other tasks"
        steps.append(f"Mend it once: {other} failed in this way (loop26 failures).")
    if fallen := sum(one.because.startswith("failed because") for one in relatives):
        steps.append(f"Then enqueue the journey again: {fallen} of its tasks fell with this one.")
    return steps


def _of_record(found: CompletenessFound) -> Iterator[str]:
    if not found.begun:
        yield "Look where the task ran: its journal is not in this source."
    elif not found.complete:
        yield (
            "Do not conclude from where the record ends: it is incomplete. Look for the missing "
            "part: the worker's spool, its Sentry event, a full disk at that time."
        )


def _of_failure(failure: FailureFound) -> Iterator[str]:
    location = failure.location
    if location.file:
        where = f"{one_line(location.file)}:{location.line} in {one_line(location.function)}"
        yield f"Open {where}."
    if failure.expression:
        origin = next((one for one in reversed(failure.values) if one.value in (None, "")), None)
        was = "was None" if "None" in failure.message else "was not there"
        said = f"Find out why {one_line(failure.expression, 80)} {was}"
        if origin is not None and origin.name != failure.expression:
            said = f"{said}: {one_line(origin.name, 60)} was {value_text(origin.value)}"
            said = f"{said}, {one_line(origin.origin, 200)}"
        yield f"{said}."
    if failure.kind == "death" and failure.type in _DEATHS:
        yield _DEATHS[failure.type]
    if failure.kind == "hang":
        yield "See what the line waits for; every thread's stack is beside the journal."
    if failure.kind == "refused":
        yield "Correct the task and enqueue it again: it was refused, the worker is well."


def _of_cuda(failure: FailureFound, replay: str) -> Iterator[str]:
    told = "CUDA" in failure.message or "AcceleratorError" in failure.type
    if told and replay and "OutOfMemory" not in failure.type:
        yield (
            "A CUDA error may surface later than its cause; find the true line with: "
            f"{replay} --blocking"
        )


def _of_verdict(found: HypothesisFound) -> str:
    return f"Follow what is confirmed, {found.name}: {one_line(found.evidence, 300)}."
