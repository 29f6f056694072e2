"""The case of what a command was given: a task of the queue, or a black box."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from worker.cli.session import Session
from worker.errors import InvalidTask

if TYPE_CHECKING:
    from telemetry.reports.case import Case
    from worker.settings import Settings
    from worker.store.base import TaskStore
    from worker.task import Task


def case_of(session: Session, task: str, *, jaeger: str | None = None) -> "Case":
    """Gather the case of a task of the queue, or open a black box.

    Of a failure that this machine has no record of, the black box is fetched from the bucket that
    outputs go to.

    Raises what `find_task`, `blackbox.read` and `jaeger.read_trace` do.

    Args:
        session: Where the queue is.
        task: A task's id or as much of its beginning as is unique; or a black box.
        jaeger: The query address to read the record from, instead of the journals.
    """
    from worker.cli.tasks import find_task

    if is_black_box(task):
        if jaeger is not None:
            problem = "is given beside a black box, which has its own record; leave it out"
            raise InvalidTask("--jaeger", jaeger, problem)
        return _black_box(Path(task))
    with session.store() as store:
        settings = session.settings()
        found = find_task(store, task)
        return (
            _of_journals(settings, store, found)
            if jaeger is None
            else _of_jaeger(settings, store, found, jaeger)
        )


def is_black_box(task: str) -> bool:
    """Whether this names a black box, and no task of the queue: a path, or a file that is here."""
    return "/" in task or os.path.isfile(task)  # noqa: PTH113 - `Path` raises for too long a name


def _black_box(path: Path) -> "Case":
    from dataclasses import replace

    from telemetry.reports.sources import blackbox

    # What a stranger's box says that one should run is not taken over.
    return replace(blackbox.read(path), replay=f"loop26 replay {shlex.quote(str(path))}")


def _of_journals(settings: "Settings", store: "TaskStore", task: "Task") -> "Case":
    from worker.casework import fetched_boxes, gather

    fetch = fetched_boxes.FetchedBoxes(settings, wait_s=fetched_boxes.WAIT_S)
    return gather(settings, store, task, fetch=fetch)


def _of_jaeger(settings: "Settings", store: "TaskStore", task: "Task", url: str) -> "Case":
    from dataclasses import replace

    from telemetry.reports.sources import jaeger
    from worker.casework import gather

    case = gather(
        settings,
        store,
        task,
        record=lambda row: jaeger.read_trace(url, row.trace_id, row.id),
        source=f"the Jaeger at {jaeger.shown(url)}",
        unknown=jaeger.UNKNOWN,
    )
    lacks = jaeger.lacks(case.model) if case.model else []
    return replace(case, unknown=[*case.unknown, *lacks])
