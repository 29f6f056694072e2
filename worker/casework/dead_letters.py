"""Dead letters: the tasks that failed for good, each with what failed it and what can be done."""

from dataclasses import dataclass
from typing import Final

from telemetry import death
from telemetry.reports.case import well_formed
from telemetry.reports.failures import UNTOLD
from worker.casework.queue_facts import moment_text
from worker.store.contexts import trace_id_of
from worker.store.rows import count_of, text_of
from worker.task import Task

_DIED: Final = ("death", death.HANG)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A task that failed by itself for good, and was not retried.

    Attributes:
        failed_at: When; "" where its row does not tell.
        journey: The orchestrator that it fell with it; "" where it has none.
        kind: exception, refused, death, hang; untold where another application set it to Failed.
        place: How exactly the line is known: "raised at".
        own_file: Where that line is a library's, the file of the line of ours that called it.
        advice: What to do about it.
    """

    id: str
    task_type: str
    project_id: str
    journey: str
    failed_at: str
    kind: str
    type: str
    message: str
    sentence: str
    place: str
    file: str
    line: int
    function: str
    stage: str
    attempts: int
    deaths: int
    fingerprint: str
    trace_id: str
    advice: str
    own_file: str = ""
    own_line: int = 0
    own_function: str = ""


def dead_letter_of(task: Task) -> DeadLetter:
    """Read a dead letter off its row; what makes no sense there counts as not said."""
    error = well_formed(task.error or {})

    def said(name: str) -> str:
        return text_of(error.get(name))

    kind = said("kind") or UNTOLD
    return DeadLetter(
        id=str(task.id),
        task_type=task.task_type,
        project_id=str(task.project_id or ""),
        journey=str(task.parent_id or ""),
        failed_at=moment_text(task.generation_processed_at or task.updated_at),
        kind=kind,
        type=said("type"),
        message=said("message"),
        sentence=task.error_message or "",
        place=said("place"),
        file=said("file"),
        line=count_of(error.get("line")),
        function=said("function"),
        stage=said("stage"),
        attempts=task.attempts,
        deaths=task.deaths,
        fingerprint=said("fingerprint"),
        trace_id=said("trace_id") or trace_id_of(task.process_context) or "",
        advice=_advice(task, kind, may_pass=error.get("retryable") is True),
        own_file=said("own_file"),
        own_line=count_of(error.get("own_line")),
        own_function=said("own_function"),
    )


def _advice(task: Task, kind: str, *, may_pass: bool) -> str:
    retry = f"`loop26 retry {task.id}`"
    if task.parent_id is not None:
        retry += ", which makes its whole journey again"
    look = f"`loop26 investigate {task.id}`"
    if kind == "refused":
        return "its input was refused: enqueue it anew, mended"
    if kind == UNTOLD:
        return f"another application set it to Failed; {retry}"
    if may_pass:
        return f"what failed it may have passed: {retry}"
    if kind in _DIED:
        return f"{look} says where it was; then {retry}"
    return f"{look} says why; once that is mended, {retry}"
