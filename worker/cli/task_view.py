"""How tasks look in a terminal: the list, and the page of one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.cli.paper import printable
from worker.store.contexts import trace_id_of
from worker.store.retries import retried_from
from worker.store.rows import UNSAID
from worker.wording import clock, quiet_for, status_style

if TYPE_CHECKING:
    from worker.store.base import Event
    from worker.task import Task


_LONGEST_S = 1e9  # longer than anything is quiet: the seconds may be another application's


def table_of(tasks: "Iterable[Task]") -> Table:
    """Draw a list of tasks, one line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "type", "status", "tries", "created", "took", "what came of it"):
        table.add_column(heading, no_wrap=heading != "what came of it", overflow="fold")
    for task in tasks:
        table.add_row(
            str(task.id)[:13],
            Text(printable(task.task_type)),
            Text(task.status, style=status_style(task.status)),
            str(task.attempts),
            _local(task.created_at),
            _took(task),
            Text(printable(_what_came_of(task))),
        )
    return table


def page_of(
    task: "Task",
    events: "Sequence[Event]",
    children: "Sequence[Task]",
    retry: "Task | None" = None,
) -> Group:
    """Draw everything that the queue knows of one task, and which task is its retry."""
    parts: list[RenderableType] = [_facts(task, retry)]
    if task.error is not None:
        parts += [_heading("error"), _pairs(task.error)]
    if task.result_data:
        parts += [_heading("result"), _pairs(task.result_data)]
    parts += [_heading("parameters"), Text(printable(_json(task.params)))]
    if children:
        parts += [_heading("children"), table_of(children)]
    parts += [_heading("history"), _history(events)]
    return Group(*parts)


def _facts(task: "Task", retry: "Task | None") -> Table:
    facts: dict[str, Any] = {
        "id": task.id,
        "type": task.task_type,
        "status": Text(task.status, style=status_style(task.status)),
        "output": task.output_location,
        "failed because": task.error_message,
        "look into it": f"loop26 investigate {task.id}" if task.status == "Failed" else None,
        "retried as": f"{retry.id}, {retry.status}" if retry else None,
        "retry of": retried_from(task.idempotency_key),
        "progress": _progress(task.progress) if not task.status.terminal else None,
        "attempts": f"{task.attempts}, deaths {task.deaths}",
        "created": _local(task.created_at),
        "started": _local(task.generation_started_at),
        "finished": _local(task.generation_processed_at),
        "took": _took(task),
        "worker": task.worker_id,
        "waits for": ", ".join(map(str, task.dependant_on)),
        "orchestrator": task.parent_id,
        "project": task.project_id,
        "idempotency key": task.idempotency_key,
        "trace": trace_id_of(task.process_context) or trace_id_of(task.trace_context),
    }
    return _pairs(facts)


def _pairs(facts: Mapping[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            grid.add_row(
                Text(printable(name)), value if isinstance(value, Text) else Text(_plain(value))
            )
    return grid


def _history(events: "Sequence[Event]") -> Table:
    grid = Table.grid(padding=(0, 2))
    for event in events:
        data = "  ".join(f"{name}={_plain(value)}" for name, value in event.data.items() if value)
        name = Text(printable(event.name))
        grid.add_row(Text(_local(event.at), style="dim"), name, Text(data, overflow="fold"))
    return grid


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _what_came_of(task: "Task") -> str:
    if task.error_message or task.output_location:
        return task.error_message or task.output_location or ""
    return _progress(task.progress) if not task.status.terminal else ""


def _progress(progress: Mapping[str, Any] | None) -> str:
    if not progress:
        return ""
    step, steps, share, quiet_s = (
        value if isinstance(value := progress.get(name), int | float) else None
        for name in ("step", "steps", "fraction", "quiet_s")
    )
    said = [
        _plain(progress.get("stage", "")),
        f"step {step or 0} of {steps}" if steps else "",
        f"{share:.0%}" if share is not None else "",
        quiet_for(min(quiet_s or 0, _LONGEST_S)),
    ]
    return ", ".join(filter(None, said))


def _took(task: "Task") -> str:
    if task.generation_started_at is None or task.generation_processed_at is None:
        return ""
    return clock((task.generation_processed_at - task.generation_started_at).total_seconds())


def _local(at: datetime | None) -> str:
    return "" if at is None or at == UNSAID else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _plain(value: Any) -> str:
    plain = isinstance(value, dict | list | bool)
    return printable(_json(value, indent=None) if plain else str(value))


def _json(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, default=str, ensure_ascii=False)
