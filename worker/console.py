"""What a running worker shows: live progress in a terminal, JSON lines everywhere else."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Protocol

from opentelemetry import trace
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from telemetry.propagation import remote_context
from worker.json_lines import json_line
from worker.task import Task, TaskStatus
from worker.wording import clock, name_of, quiet_for, whole_clock

MOVING_WIDTH = 100
NAME_WIDTH = len("travel_orchestrator")
STYLES: Mapping[str, str] = {"warning": "yellow", "error": "red"}
# What has become of a task, by the status that its settling gave it: its colour and its words.
OUTCOMES: Mapping[str, tuple[str, str]] = {
    TaskStatus.COMPLETE: ("green", "complete"),
    TaskStatus.FAILED: ("red", "failed"),
    TaskStatus.QUEUED: ("yellow", "queued"),
    TaskStatus.CANCELLED: ("yellow", "cancelled"),
    TaskStatus.IN_PROGRESS: ("cyan", "waits for its children"),
    "superseded": ("yellow", "superseded"),
}
LEVELS: Mapping[str, str] = {
    TaskStatus.FAILED: "error",
    TaskStatus.QUEUED: "warning",
    "superseded": "warning",
}


class Console(Protocol):
    """How the supervisor tells people what happens. Called from one thread; never raises."""

    def ready(self, device: Mapping[str, Any]) -> None:
        """A task process has proved its device; claiming begins."""
        ...

    def claimed(self, task: Task) -> None:
        """A task has been claimed."""
        ...

    def progress(
        self,
        task_id: object,
        stage: str,
        step: int,
        steps: int,
        fraction: float,
        eta_s: float | None,
    ) -> None:
        """The task stands at `step` of `steps` in `stage`; `fraction` is of the whole task."""
        ...

    def quiet(self, task_id: object, seconds: float) -> None:
        """The task has made no progress for so long; told as it grows, and 0 when it goes on."""
        ...

    def settled(
        self, task_id: object, outcome: str, sentence: str, location: str | None, seconds: float
    ) -> None:
        """The attempt is over.

        `outcome` is the task's status since then, In Progress where it waits for its children, or
        "superseded" where the task was no longer this worker's; `sentence` says why, "" where
        nothing is to be said; `location` is the output's; `seconds` is how long the attempt took.
        """
        ...

    def note(self, level: str, message: str, **facts: Any) -> None:
        """Something that belongs to no task; `level` is info, warning or error."""
        ...

    def close(self) -> None:
        """Nothing more will be said. May be called again."""
        ...


class JsonConsole:
    """One JSON object a line: time, level, event, then the event's own fields.

    What is written while a task is in hand has the trace id of its attempt, and the span id of its
    `process` span. While there are two, a line that names neither belongs to the newer one.
    """

    def __init__(
        self, stream: IO[str] | None = None, *, now: Callable[[], datetime] | None = None
    ) -> None:
        self._stream = stream or sys.stdout
        self._now = now or (lambda: datetime.now(UTC))
        # A stream in memory has none, and takes all that Python calls text.
        self._encoding: str = getattr(self._stream, "encoding", None) or "utf-8"
        self._broken = False
        self._ids: dict[str, dict[str, str]] = {}  # by the task in hand, the newest last

    def ready(self, device: Mapping[str, Any]) -> None:
        """Write `ready` with what the device is."""
        self._write("info", "ready", device=dict(device))

    def claimed(self, task: Task) -> None:
        """Write `claimed` with the task's id, type and attempt."""
        self._ids[str(task.id)] = _ids_of(task)
        self._write(
            "info",
            "claimed",
            task_id=str(task.id),
            task_type=task.task_type,
            attempt=task.attempts,
        )

    def progress(
        self,
        task_id: object,
        stage: str,
        step: int,
        steps: int,
        fraction: float,
        eta_s: float | None,
    ) -> None:
        """Write `progress`."""
        self._write(
            "info",
            "progress",
            task_id=str(task_id),
            stage=stage,
            step=step,
            steps=steps,
            fraction=round(fraction, 4),
            eta_s=None if eta_s is None else round(eta_s, 1),
        )

    def quiet(self, task_id: object, seconds: float) -> None:
        """Write nothing: the task's row and the health file count, and a hang is noted."""

    def settled(
        self, task_id: object, outcome: str, sentence: str, location: str | None, seconds: float
    ) -> None:
        """Write `settled`; its level is error for a failure, warning for what did not come off."""
        self._write(
            LEVELS.get(outcome, "info"),
            "settled",
            task_id=str(task_id),
            outcome=outcome,
            sentence=sentence,
            location=location,
            seconds=round(seconds, 3),
        )
        self._ids.pop(str(task_id), None)

    def note(self, level: str, message: str, **facts: Any) -> None:
        """Write `note` with the message and its facts."""
        self._write(level, "note", message=message, **facts)

    def close(self) -> None:
        """Nothing to let go of: every line is flushed."""

    def _write(self, level: str, event: str, **fields: Any) -> None:
        if self._broken:
            return
        time = self._now().isoformat(timespec="milliseconds")
        ids = self._ids.get(str(fields.get("task_id"))) or next(reversed(self._ids.values()), {})
        line = {"time": time, "level": level, "event": event, **ids, **fields}
        try:
            self._stream.write(f"{json_line(line, self._encoding)}\n")
            self._stream.flush()
        except (OSError, ValueError):
            # The reader is gone (`| head`), or the disk under a redirected file is full. The
            # worker goes on without a listener; its journal holds all of this.
            self._broken = True


def _ids_of(task: Task) -> dict[str, str]:
    """Return the ids of the `process` span of the attempt at a task; {} where its row has none."""
    span = trace.get_current_span(remote_context(task.process_context)).get_span_context()
    if not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


@dataclass(slots=True)
class _Running:
    """The task whose progress is drawn."""

    task_id: str
    name: str
    stage: str = ""
    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    eta_s: float | None = None
    quiet_s: float = 0.0

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        grid = Table.grid(padding=(0, 1))
        grid.width = min(options.max_width, MOVING_WIDTH)
        for width in (10, NAME_WIDTH, None, 4, 10, 9, 9):  # what can wrap, the bar, gives way
            grid.add_column(min_width=width, no_wrap=width is not None)
        steps = f"step {self.step}/{self.steps}" if self.steps else ""
        left = "" if self.eta_s is None else f"{whole_clock(self.eta_s)} left"
        quiet = quiet_for(self.quiet_s)
        grid.add_row(
            Text(f"  {self.task_id[:8]}", style="bold"),
            Text(self.name),
            ProgressBar(total=1.0, completed=self.fraction),
            f"{self.fraction:4.0%}",
            Text(self.stage, style="cyan"),
            steps,
            Text(quiet or left, style="yellow" if quiet else "dim"),
        )
        yield grid


class TerminalConsole:
    """A line that stays for each task that is over, and below them one that moves."""

    def __init__(self, console: RichConsole | None = None) -> None:
        self._console = console or RichConsole(stderr=True, highlight=False)
        self._running: _Running | None = None
        self._names: dict[str, str] = {}  # of the tasks in hand
        # Redrawn by the calls below, not by a thread: the supervisor forks from this process.
        # Started at the first of them, since it hides the cursor: a start may yet be refused.
        self._live = Live("", console=self._console, auto_refresh=False, transient=True)
        self._closed = False

    def ready(self, device: Mapping[str, Any]) -> None:
        """Say which device is ready."""
        name = device.get("name") or device.get("kind") or "device"
        self._say(f"[green]ready[/] on {escape(str(name))}")

    def claimed(self, task: Task) -> None:
        """Start drawing the task's progress."""
        self._running = _Running(task_id=str(task.id), name=name_of(task))
        if task.attempts > 1:
            self._running.name += f", attempt {task.attempts}"
        self._names[str(task.id)] = self._running.name
        self._draw()

    def progress(
        self,
        task_id: object,
        stage: str,
        step: int,
        steps: int,
        fraction: float,
        eta_s: float | None,
    ) -> None:
        """Redraw the line that moves."""
        if self._running is None:
            self._running = _Running(task_id=str(task_id), name="")
        running = self._running
        running.stage, running.step, running.steps = stage, step, steps
        running.fraction, running.eta_s = min(max(fraction, 0.0), 1.0), eta_s
        running.quiet_s = 0.0
        self._draw()

    def quiet(self, task_id: object, seconds: float) -> None:
        """Redraw the line that moves, with how long it has not."""
        del task_id
        if self._running is not None:
            self._running.quiet_s = seconds
            self._draw()

    def settled(
        self, task_id: object, outcome: str, sentence: str, location: str | None, seconds: float
    ) -> None:
        """Say what has become of the task, and where its output is."""
        name = self._names.pop(str(task_id), "")
        if self._running is not None and self._running.task_id == str(task_id):
            self._running = None
        style, word = OUTCOMES.get(outcome, ("white", outcome))
        if outcome == TaskStatus.IN_PROGRESS and sentence:
            word, sentence = sentence, ""  # it says for how many
        rest = "".join(f"  {escape(text)}" for text in (sentence, location) if text)
        head = f"[bold]{str(task_id)[:8]}[/] {escape(name):{NAME_WIDTH}} {clock(seconds):>7}"
        self._say(f"{head}  [{style}]{escape(word)}[/]{rest}")

    def note(self, level: str, message: str, **facts: Any) -> None:
        """Say what happened beside the tasks."""
        style = STYLES.get(level, "dim")
        tail = "".join(f"  {name}={value}" for name, value in facts.items() if value is not None)
        self._say(f"[{style}]{escape(message)}{escape(tail)}[/]")

    def close(self) -> None:
        """Take the moving line away, and show the cursor again."""
        self._closed = True
        self._live.stop()

    def _say(self, markup: str) -> None:
        self._draw()
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        self._console.print(f"[dim]{time}[/] {markup}", soft_wrap=True)

    def _draw(self) -> None:
        if not self._closed:
            self._live.start()
            self._live.update(self._running or "", refresh=True)


def for_this_stream() -> Console:
    """Choose: a terminal on stderr gets live progress, anything else JSON lines on stdout."""
    return TerminalConsole() if sys.stderr.isatty() and sys.stdout.isatty() else JsonConsole()
