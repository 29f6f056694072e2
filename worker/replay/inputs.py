"""The inputs that a task names: which of them are here, before anything is run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from worker.errors import WorkerError
from worker.handlers.planning import Known, Models, Planned, plan_task
from worker.inputs.fetch import cache_path
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import scheme_of, shown
from worker.params.payload import UnknownKeys
from worker.task import ORCHESTRATOR, Claim, NewTask


class InputSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An input: what it is, its path or URL without secrets, and why it is not here, or ""."""

    kind: str
    source: str
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What decides which inputs a task has, and whether they are here.

    `models` is called where a task's payload is read, and may raise a `WorkerError`.
    """

    models: Callable[[], Models]
    policy: InputPolicy
    unknown_params: UnknownKeys


def inputs_of(claim: Claim, around: Surroundings) -> list[InputSeen]:
    """Look for every input of a task; empty where its payload cannot be read that far.

    Nothing is fetched, and nothing is said of what a file holds.
    """
    try:
        planned = _planned(claim, around)
    except (WorkerError, RecursionError):  # the very thing that the task may have failed of
        return []
    fetched = claim.task.task_type != ORCHESTRATOR  # which looks at files, and at no URL
    named = [*_named(planned), *_outputs(claim)]
    return [
        InputSeen(kind=kind, source=shown(source), why_not=_why_not(source, around.policy))
        for kind, source in named
        if fetched or not scheme_of(source)
    ]


def _planned(claim: Claim, around: Surroundings) -> Planned:
    task = NewTask(
        id=claim.task.id,
        task_type=claim.task.task_type,
        params=claim.task.params,
        dependant_on=claim.task.dependant_on,
        parent_id=claim.task.parent_id,
    )
    known = Known(
        models=around.models(),
        parent=lambda _: claim.parent_params,
        unknown=around.unknown_params,
    )
    return plan_task(task, known)


def _named(planned: Planned) -> Iterator[tuple[str, str]]:
    for picture in planned.pictures:
        yield "picture", picture.source
    for request in planned.requests:
        for lora in request.loras:
            yield "LoRA", lora.url


def _outputs(claim: Claim) -> Iterator[tuple[str, str]]:
    for each in claim.dependencies:
        if each.output_location is not None:
            yield f"video of task {each.id}", each.output_location


def _why_not(source: str, policy: InputPolicy) -> str:
    if scheme_of(source):
        return "" if cache_path(source, policy).is_file() else "is not kept in the cache"
    try:
        return "" if Path(source).is_file() else "there is no such file"
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"
