"""What to do next: each step follows from something that was found."""

from collections.abc import Iterator, Sequence

from telemetry.reports.company import RelativeFound, SameFailureFound
from telemetry.reports.findings import CompletenessFound, FailureFound, HypothesisFound, ValueFound
from telemetry.reports.hypotheses import POLLUTION
from telemetry.reports.places import place_text
from telemetry.reports.sentences import root_first, root_step
from telemetry.reports.spoken import raised_in, told_of
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
_WITHOUT_WORDS = {
    "segfault": "Native code crashed, and its last words are not in the record: look at the host's "
    "log, and try other versions of it.",
    "abort": "Native code gave up, and its last words are not in the record: look at the host's "
    "log.",
}
_MADE = ("assigned at", "passed at", "an argument of")  # how an origin begins that is known
# What the worker says of a device's fault, in the sentence for people.
_WAITED = "CUDA's calls waited"
_HELD = "a second try with all of it freed: "
_NO_ROOM = ("OutOfMemory", "out of memory", "ALLOC_FAILED")
_PLACES = {
    "opened at": "Look at what {function} opened at {line} was doing.",
    "reported at": "Look at what {line} in {function} reports: its text alone is known.",
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
    if undecided and replay and failure.kind != "refused":
        steps.append(f"Run it again in a fresh process, to decide the open causes: {replay}")
    if same:
        tasks = len({one.task for one in same})
        other = "1 other task" if tasks == 1 else f"{tasks} other tasks"
        steps.append(f"Mend it once: {other} failed in this way (loop26 failures).")
    if fallen := sum(one.felled for one in relatives):
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
    location, root = failure.location, root_first(failure)
    if root is not None and root.location.file:
        yield root_step(root)
        if location.file and location != root.location:
            yield f"Then see what was made of it, at {place_text(failure.own or location)}."
    elif failure.own:
        where = place_text(location, failure.place)
        yield f"Open {place_text(failure.own)}: what it called {where}."
    elif location.file:
        line = f"{one_line(location.file)}:{location.line}"
        said = _PLACES.get(failure.place, "Open {line} in {function}.")
        yield said.format(line=line, function=one_line(location.function))
    if root is not None and root.expression:
        yield _of_value(root.expression, [(root.type, root.message)], failure.values)
    elif failure.expression:
        yield _of_value(failure.expression, raised_in(failure), failure.values)
    if failure.kind == "death" and failure.type in _DEATHS:
        silent = {} if failure.last_words else _WITHOUT_WORDS
        yield silent.get(failure.type, _DEATHS[failure.type])
    if failure.kind == "hang":
        yield "See what the line waits for; every thread's stack is beside the journal."
    if failure.kind == "refused":
        yield "Correct the task and enqueue it again: it was refused, the worker is well."


def _of_value(
    expression: str, raised: Sequence[tuple[str, str]], values: Sequence[ValueFound]
) -> str:
    """Ask why the expression was what it was: None, missing, or of a type that cannot do it."""
    was = told_of(raised)
    said = f"Find out why {one_line(expression, 80)} {was}"
    if was.startswith(("was None", "was not there")):
        origin = next((one for one in reversed(values) if one.value in (None, "")), None)
        if origin is None or origin.name == expression:
            return f"{said}."
        then = ";" if ":" in was else ":"
        said = f"{said}{then} {one_line(origin.name, 60)} was {value_text(origin.value)}"
        return f"{said}, {one_line(origin.origin, 200)}."
    known = (one.origin for one in values if one.name == expression)
    made = next((one for one in known if one.startswith(_MADE)), "")
    return f"{said}: {one_line(made, 200)}." if made else f"{said}."


def _of_cuda(failure: FailureFound, replay: str) -> Iterator[str]:
    told = "CUDA" in failure.message or "AcceleratorError" in failure.type
    if told and any(sign in f"{failure.type} {failure.message}" for sign in _NO_ROOM):
        held = failure.sentence.partition(_HELD)[2]
        if held:
            yield f"See who held the device's memory: {one_line(held, 600)}."
        yield "Make the work smaller (resolution, frames), or set offload to model."
    elif told and _WAITED in failure.sentence:
        yield "Look for the cause in this very line: CUDA's calls waited for their end."
    elif told and replay:
        yield (
            "A CUDA error may surface later than its cause; find the true line with: "
            f"{replay} --blocking"
        )


def _of_verdict(found: HypothesisFound) -> str:
    return f"Follow what is confirmed, {found.name}: {one_line(found.evidence, 300)}."
