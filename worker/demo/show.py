"""Runs the demo from the pictures to the last line that people read."""

import shlex
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from telemetry.recorder import Recorder
from worker.composition import run
from worker.console import TerminalConsole
from worker.demo.incident import show_incident
from worker.demo.journey import FRAMES, build_loras, journey, lay_out_pictures
from worker.settings import Settings
from worker.store.base import Event, TaskStore
from worker.store.local import LocalStore
from worker.submission import submit
from worker.task import Task, TaskStatus
from worker.wording import clock, name_of

if TYPE_CHECKING:
    from worker.output.video import VideoFacts

EXIT_FAILED = 1
ENDS = ("completed", "spawned")
# What the supervisor counted in the record of each task before it settled it.
MEASURES = ("iterations", "steps", "spans", "records", "lost")


def run_demo(settings: Settings) -> int:
    """Make a video in this home, by its own queue; say where it is; return the exit code."""
    settings = settings.model_copy(update={"supabase_url": None})
    out = Console(highlight=False)
    out.print("Laying out four pictures, building three LoRAs …", style="dim")
    pictures = lay_out_pictures(settings.home / "demo-pictures")
    loras = build_loras(settings.models_dir)
    began = time.monotonic()
    task_id = _enqueue(settings, pictures, loras)
    out.print("One journey is in the queue; starting a worker …", style="dim")
    with closing(TerminalConsole()) as console:
        code = run(_for_a_small_model(settings), until_idle=True, console=console)
    seconds = time.monotonic() - began
    store = LocalStore(settings.queue_path)
    try:
        task = store.get(task_id)
        if code == 0 and task.status is TaskStatus.COMPLETE:
            out.print(_report(store, task, seconds), soft_wrap=True)
            code = show_incident(settings, out)
            out.print(_next_commands(settings, task), soft_wrap=True)
            return code
        reason = task.error_message or f"the journey is {task.status}, the worker ended with {code}"
        out.print(f"The demo failed: {reason}", style="red", markup=False, soft_wrap=True)
        out.print(_next_commands(settings, task), soft_wrap=True)
        return code or EXIT_FAILED
    finally:
        store.close()


def _for_a_small_model(settings: Settings) -> Settings:
    """More threads than one only wait for each other in a model this small."""
    return settings if settings.threads else settings.model_copy(update={"threads": 1})


def _enqueue(settings: Settings, pictures: list[Path], loras: list[Path]) -> UUID:
    store = LocalStore(settings.queue_path)
    recorder = Recorder.open(settings.spool_dir, role="cli")
    try:
        return submit([journey(pictures, loras)], store=store, recorder=recorder)[0]
    finally:
        recorder.close()
        store.close()


def _report(store: TaskStore, task: Task, seconds: float) -> Group:
    # Only an install that could make the video has what it takes to look at it.
    from worker.output.video import probe_video

    video = Path(task.output_location or "")
    facts = probe_video(video)
    children = store.list_tasks(parent_id=task.id, limit=100)
    loads = max(int((child.result_data or {}).get("model_loads", 0)) for child in children)
    expected = "" if facts.frames == FRAMES else f" (expected {FRAMES})"
    return Group(
        Text("\nFour pictures became a video:", style="bold green"),
        Text(f"  {video}", style="bold"),
        Text(f"  {_in_words(facts)}{expected}"),
        Text("\nMeasured:", style="bold"),
        _measures(store, [task, *children]),
        Text(f"  model loads {loads}; from the queue to the video {clock(seconds)}"),
    )


def _in_words(facts: "VideoFacts") -> str:
    return (
        f"{facts.frames} frames, {facts.width}x{facts.height}, {facts.fps:g} frames a second, "
        f"{facts.frames / facts.fps:.2f} s"
    )


def _measures(store: TaskStore, tasks: list[Task]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("  task")
    table.add_column("id")
    for heading in ("took", *MEASURES):
        table.add_column(heading, justify="right")
    for task in tasks:
        record = (task.result_data or {}).get("record", {})
        measured = [str(record.get(name, "")) for name in MEASURES]
        took = clock(_attempt_s(store.events(task.id)))
        table.add_row(f"  {name_of(task)}", str(task.id)[:8], took, *measured)
    return table


def _attempt_s(events: Sequence[Event]) -> float:
    """Return the seconds from the last claim to its end; an orchestrator's end is its plan's."""
    claimed = next(event for event in reversed(events) if event.name == "claimed")
    ended = next(event for event in events if event.seq > claimed.seq and event.name in ENDS)
    return (ended.at - claimed.at).total_seconds()


def _next_commands(settings: Settings, task: Task) -> Text:
    loop26 = f"loop26 --home {shlex.quote(str(settings.home))}"
    short = str(task.id)[:8]
    commands = {
        f"{loop26} tasks {short}": "the journey: parameters, children, history",
        f"{loop26} trace {short}": "every step of it, as a tree with times",
        f"{loop26} drill --all": "every way to die, and whether the report names the line",
        f"{loop26} settings": "what can be set",
    }
    width = max(map(len, commands))
    text = Text("\nNext:", style="bold")
    for command, what in commands.items():
        text.append(f"\n  {command:{width}}", style="not bold")
        text.append(f"  # {what}", style="not bold dim")
    return text
