"""Runs the demo from the pictures to the last line that people read."""

import shlex
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.text import Text

from telemetry.recorder import Recorder
from worker.composition import run
from worker.console import TerminalConsole
from worker.demo.incident import PAGE, show_incident
from worker.demo.journey import Laid, check_libraries, journey, lay_out
from worker.demo.outcome import Outcome, in_words, write_sheet
from worker.engines.registry import DIFFUSERS
from worker.settings import Settings
from worker.store.local import LocalStore
from worker.submission import submit
from worker.task import Task, TaskStatus

EXIT_FAILED = 1
INPUTS = "demo-inputs"
SHEET = "contact-sheet.png"


def run_demo(settings: Settings) -> int:
    """Make a video in this home, by its own queue; say where it is; return the exit code."""
    settings = _on_this_machine(settings)
    check_libraries()
    out = Console(highlight=False)
    out.print("Laying out four pictures and three LoRAs …", style="dim")
    laid = lay_out(settings.home / INPUTS)
    began = time.monotonic()
    task_id = _enqueue(settings, laid)
    out.print("One journey is in the queue; starting a worker …", style="dim")
    with closing(TerminalConsole()) as console:
        code = run(settings, until_idle=True, console=console)
    seconds = time.monotonic() - began
    with closing(LocalStore(settings.queue_path)) as store:
        task = store.get(task_id)
        if code or task.status is not TaskStatus.COMPLETE:
            reason = task.error_message or f"the journey is {task.status}, the worker ended: {code}"
            out.print(f"The demo failed: {reason}", style="red", markup=False, soft_wrap=True)
            out.print(_next_commands(settings, task, {}), soft_wrap=True)
            return code or EXIT_FAILED
        outcome = Outcome.of(store, task)
        out.print(in_words(outcome, store, seconds), soft_wrap=True)
    write_sheet(outcome, laid, settings.home / SHEET)
    return _end_with_the_incident(settings, out, outcome)


def _on_this_machine(settings: Settings) -> Settings:
    """Use what every machine has, and the engine that has the model.

    Threads more than one would only wait for each other in a model this small.
    """
    here = {"supabase_url": None, "storage": None, "engine": DIFFUSERS}
    return settings.model_copy(update={**here, "threads": settings.threads or 1})


def _enqueue(settings: Settings, laid: Laid) -> UUID:
    store = LocalStore(settings.queue_path)
    recorder = Recorder.open(settings.spool_dir, role="cli")
    try:
        return submit([journey(laid)], store=store, recorder=recorder)[0]
    finally:
        recorder.close()
        store.close()


def _end_with_the_incident(settings: Settings, out: Console, outcome: Outcome) -> int:
    incident = show_incident(settings, out)
    made = {"the video": outcome.video, "its contact sheet": settings.home / SHEET}
    commands = {}
    if incident is not None:
        made["the failure's report"] = settings.home / PAGE
        command = f"{_loop26(incident.folder)} investigate {str(incident.first.task.id)[:8]}"
        commands[command] = "why the second journey failed"
    out.print(_next_commands(settings, outcome.task, commands), soft_wrap=True)
    out.print(_files(made), soft_wrap=True)
    return EXIT_FAILED if incident is None else 0


def _next_commands(settings: Settings, task: Task, before: Mapping[str, str]) -> Text:
    loop26, short = _loop26(settings.home), str(task.id)[:8]
    commands = {
        **before,
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


def _files(made: Mapping[str, Path]) -> Text:
    width = max(map(len, made))
    text = Text("\nLook at:", style="bold")
    for what, path in made.items():
        text.append(f"\n  {what:{width}}  {path}", style="not bold")
    return text


def _loop26(home: Path) -> str:
    return f"loop26 --home {shlex.quote(str(home))}"
