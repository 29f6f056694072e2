"""The errors that the worker raises on purpose, as far as more than one module speaks of them.

One that belongs to a single module is defined there, under the class here that it is a kind of.

```
WorkerError                 says what was wrong, with the value, and the way out
├── SettingsError           a setting is missing or wrong                     exit 78
├── HomeError               the home folder cannot be used                    exit 78
├── QueueError              the queue
│   ├── QueueUnavailable    it cannot be reached or opened                    exit 69
│   ├── QueueIncompatible   it is no queue, or of a newer version             exit 78
│   ├── QueueForbidden      the key or the token does not allow the call      exit 78
│   ├── TaskNotFound        no task has this id
│   ├── IllegalTransition   a status may not follow the present one
│   └── Fenced              the caller no longer owns the task
├── InvalidTask             a payload that cannot become a task; names the field
│   ├── UnknownTaskType
│   └── InvalidParameter    a parameter's value is refused, by name
├── DefaultsChanged         a model's defaults changed while they were read
├── InputError              a picture, a LoRA or another input cannot be had
├── EngineError             the engine
│   ├── UnknownModel        it has no definition of this model
│   ├── ModelUnavailable    a model's weights are not there
│   ├── FrameCountMismatch  it returned another number of frames than asked
│   ├── NotFinite           what it computes are no numbers any more: names the step
│   └── BlankOutput         every pixel of every frame is the same
├── OutputError             the video cannot be written or is not what was asked
└── TaskCancelled           the task was cancelled while it ran (control flow, not a failure)
```
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

# Exit codes of `loop26 run`, by sysexits.h where that has one.
EXIT_DRAINED: Final = 0
EXIT_QUEUE: Final = 69
EXIT_BUG: Final = 70
EXIT_RECYCLE: Final = 75
EXIT_CONFIGURATION: Final = 78
EXIT_GPU: Final = 80


class WorkerError(Exception):
    """Base of all: raised by nobody itself. `retryable` says whether the same task may succeed."""

    exit_code = 1
    retryable = False


class SettingsError(WorkerError):
    """Raised at start, by `worker.settings`, when a setting is missing or wrong."""

    exit_code = EXIT_CONFIGURATION


class HomeError(WorkerError):
    """Raised at start when the home folder cannot be created, read or written."""

    exit_code = EXIT_CONFIGURATION

    def __init__(self, home: Path, reason: str) -> None:
        super().__init__(
            f"home folder {str(home)!r}: {reason}; "
            "choose another with --home DIR or the environment variable LOOP26_HOME"
        )
        self.home = home


class QueueError(WorkerError):
    """Base of what a store raises."""


class QueueUnavailable(QueueError):
    """Raised by a store that cannot be reached or opened now; trying again may help."""

    exit_code = EXIT_QUEUE
    retryable = True


class QueueIncompatible(QueueError):
    """Raised by a store that is there and is not a queue this version can use."""

    exit_code = EXIT_CONFIGURATION


class QueueForbidden(QueueError):
    """Raised by a store whose key, or whose worker token, does not allow the call."""

    exit_code = EXIT_CONFIGURATION


class TaskNotFound(QueueError):
    """Raised by a store asked for a task it does not have."""

    def __init__(self, task_id: object) -> None:
        super().__init__(f"no task has the id {str(task_id)!r}; `loop26 tasks` lists them")
        self.task_id = task_id


class IllegalTransition(QueueError):
    """Raised by a store asked to give a task a status that may not follow its present one."""

    def __init__(self, task_id: object, status: str, wanted: str) -> None:
        super().__init__(f"task {task_id} is {status!r} and cannot become {wanted!r}")
        self.task_id = task_id
        self.status = status
        self.wanted = wanted


class Fenced(QueueError):
    """Raised by a store when a token no longer owns the task: expired, released or cancelled."""

    def __init__(self, token: object, reason: str) -> None:
        super().__init__(f"claim {token} no longer owns its task: {reason}")
        self.token = token
        self.reason = reason


class InvalidTask(WorkerError):
    """Raised where a payload is parsed; `field` is a dotted path into it, `value` what stood there.

    Args:
        field: Dotted path, "" for the payload itself.
        value: What was found; shown shortened, and of a prompt only how long it is: a message goes
            where prompts may not.
        problem: What is wrong and what would be right, as in "must be an integer above 0".
    """

    exit_code = 2

    def __init__(self, field: str, value: Any, problem: str) -> None:
        where = f"{field} = {_shown(field, value)}" if field else _shortened(value)
        super().__init__(f"{where}: {problem}")
        self.field = field
        self.value = value
        self.problem = problem


class UnknownTaskType(InvalidTask):
    """Raised for a task type that no handler accepts."""

    def __init__(self, task_type: Any, known: Sequence[str]) -> None:
        super().__init__(
            "task_type", task_type, f"is no known task type; known: {', '.join(known)}"
        )
        self.known = tuple(known)


class InvalidParameter(InvalidTask):
    """Raised by `worker.params` for a value that is refused before it reaches an engine."""


class DefaultsChanged(WorkerError):
    """Raised by `worker.params` when a model's defaults are not the same after the loop."""

    def __init__(self, model: str, before: str, after: str) -> None:
        super().__init__(
            f"the defaults of model {model!r} changed while its parameters were resolved: "
            f"sha256 {before} before, {after} after; nothing may write to a model's defaults"
        )
        self.model = model
        self.before = before
        self.after = after


class InputError(WorkerError):
    """Raised when an input (picture, LoRA, video of an earlier task) cannot be had or used.

    Args:
        source: The path or URL that was asked for.
        problem: What is wrong with it and what to do.
        field: Where the payload names it, as a dotted path; "" where that is not known.
    """

    def __init__(self, source: str, problem: str, *, field: str = "") -> None:
        super().__init__(f"input {source!r}: {problem}")
        self.source = source
        self.problem = problem
        self.field = field


class EngineError(WorkerError):
    """Base of what an engine raises on purpose."""


class UnknownModel(EngineError):
    """Raised by an engine asked for a model it has no definition of; names the nearest known."""

    field = "model_name"  # where tasks name one; a dotted path once the task is known

    def __init__(self, name: Any, known: Sequence[str]) -> None:
        nearest = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
        super().__init__(
            f"unknown model {name!r}; {hint or 'known: ' + (', '.join(known) or 'none')}"
        )
        self.name = name
        self.known = tuple(known)
        self.nearest = tuple(nearest)


class ModelUnavailable(EngineError):
    """Raised by an engine whose definition names weights that are not there."""


class FrameCountMismatch(EngineError):
    """Raised when an engine returned another number of frames than the request asked.

    `where` says what is known of how they came to be, as in "written at wgp.py:7 in save".
    """

    def __init__(self, asked: int, returned: int, where: str = "") -> None:
        said = f"the engine returned {returned} frames where {asked} were asked"
        super().__init__(f"{said}; {where}" if where else said)
        self.asked = asked
        self.returned = returned


class NotFinite(EngineError):
    """Raised by an engine whose latents or pictures are not finite: all that follows is black.

    Args:
        where: The first step, or whatever it was, that gave them.
        what: What it gave, and how much of that is broken.
        already: What it had been given that was broken already.
        advice: What to change; the likeliest first.
    """

    def __init__(
        self, where: str, *, what: str, already: Sequence[str], advice: Sequence[str]
    ) -> None:
        before = (
            f"{' and '.join(already)} had been so already"
            if already
            else ("all that went in was finite")
        )
        super().__init__(f"{where} gave {what}; {before}; {'; '.join(advice)}")
        self.where = where
        self.already = tuple(already)
        self.advice = tuple(advice)


class BlankOutput(EngineError):
    """Raised before encoding when all pixels of all frames have one colour: no picture is there."""

    def __init__(self, frames: int, colour: tuple[int, int, int]) -> None:
        name = "black" if not any(colour) else f"of the one colour rgb{colour}"
        super().__init__(
            f"all {frames} frames are {name}, every pixel of them: the engine has made no picture; "
            "use bfloat16 or float32 (dtype), lower guidance or LoRA strengths; "
            "where that is meant, set refuse_blank_output to false"
        )
        self.frames = frames
        self.colour = colour


class OutputError(WorkerError):
    """Raised when a video cannot be written, or when what was written is not what was asked."""


class TaskCancelled(WorkerError):
    """Raised inside a task, by whatever checks, once it has been cancelled. Not a failure."""


def _shown(field: str, value: Any) -> str:
    # Loaded where something is refused: every module imports this one.
    from telemetry.recorder.secret_names import PROMPT_KEY, key_rule

    if key_rule(field.rpartition(".")[2].partition("[")[0]) != PROMPT_KEY:
        return _shortened(value)
    return f"a text of {len(value)}" if isinstance(value, str) and value else type(value).__name__


def _shortened(value: Any, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
