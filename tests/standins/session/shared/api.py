"""The session of a newer checkout: one job at a time, in threads of its own."""

import contextlib
import copy
import importlib
import inspect
import io
import queue
import sys
import threading
import traceback
from dataclasses import dataclass, field
from pathlib import Path

_DONE = object()


@dataclass(frozen=True)
class GenerationError:
    """Why a task failed: a text."""

    message: str
    task_index: int | None = None
    task_id: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class GenerationResult:
    """What a job came to."""

    success: bool
    generated_files: list
    errors: list
    total_tasks: int = 1
    successful_tasks: int = 0
    failed_tasks: int = 0


@dataclass(frozen=True)
class ProgressUpdate:
    """How far a job is."""

    phase: str
    status: str
    progress: int
    current_step: int | None
    total_steps: int | None


@dataclass(frozen=True)
class StreamMessage:
    """A line that was printed; `stream` is "stdout" or "stderr"."""

    stream: str
    text: str


@dataclass(frozen=True)
class SessionEvent:
    """Something that happened in a job: what its callbacks are told."""

    kind: str
    data: object = None


@dataclass
class SessionJob:
    """A job that was submitted."""

    session: "WanGPSession"
    events: queue.Queue = field(default_factory=queue.Queue)
    cancelled: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)
    _result: GenerationResult | None = None

    @property
    def done(self):
        """Whether it has ended."""
        return self._ended.is_set()

    def result(self, timeout=None):
        """Wait for its result. Raises TimeoutError."""
        if not self._ended.wait(timeout):
            raise TimeoutError("the job has not ended")
        return self._result

    def cancel(self):
        """Ask it to stop."""
        self.cancelled = True
        self.session._interrupt()

    def end(self, result):
        """Tell whoever waits."""
        self._result = result
        self._ended.set()


class _Stream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr while a job runs: tells lines, and prints them too."""

    def __init__(self, name, put, console, isatty):
        self._name, self._put, self._console, self._isatty = name, put, console, isatty
        self._rest = ""

    def isatty(self):
        return self._isatty

    def write(self, text):
        if self._console is not None:
            self._console.write(text)
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        for line in filter(None, lines):
            self._put(SessionEvent("stream", StreamMessage(self._name, line)))
        return len(text)

    def flush(self):
        if self._console is not None:
            self._console.flush()


class WanGPSession:
    """Drives wgp.py, of which there is one in a process."""

    def __init__(self, wgp, output_dir, callbacks, console_output, console_isatty):
        self._wgp = wgp
        self._callbacks = callbacks
        self._console = console_output, console_isatty
        self._state = {"gen": _empty_gen()}
        self._busy = threading.Lock()
        if output_dir is not None:
            folder = str(output_dir)
            wgp.save_path = wgp.image_save_path = folder
            wgp.server_config.update(save_path=folder, image_save_path=folder)

    def get_model_def(self, model_type):
        """Return a model's definition, or None."""
        return self._wgp.get_model_def(model_type)

    def get_default_settings(self, model_type):
        """Return a copy of a model's settings. Raises ValueError for a model that there is not."""
        if self._wgp.get_model_def(model_type) is None:
            raise ValueError(f"there is no model {model_type}")
        return copy.deepcopy(self._wgp.get_default_settings(model_type))

    def submit_task(self, settings, callbacks=None):
        """Start a job. Raises RuntimeError while another runs."""
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("another job is running")
        job = SessionJob(self)
        params = copy.deepcopy(dict(settings))
        listeners = callbacks if callbacks is not None else self._callbacks
        driving = threading.Thread(
            target=self._drive, args=(job, params, listeners), name="wangp-session-job", daemon=True
        )
        driving.start()
        return job

    def close(self):
        """Let go of the model."""
        self._wgp.release_model()

    def _interrupt(self):
        self._state["gen"]["abort"] = True
        if self._wgp.wan_model is not None:
            self._wgp.wan_model._interrupt = True

    def _drive(self, job, params, listeners):
        """Have the work done in another thread, and tell the callbacks of it in this one."""
        events = queue.Queue()
        errors = []
        gen = self._state["gen"]
        before = len(gen["file_list"])
        worker = threading.Thread(
            target=self._work,
            args=(params, events.put, errors),
            name="wangp-session-worker",
            daemon=True,
        )
        worker.start()
        while (event := events.get()) is not _DONE:
            _tell(job, listeners, event)
        worker.join()
        if job.cancelled:
            errors = [GenerationError("the job was cancelled", 0, stage="cancelled")]
            gen.pop("abort", None)
            if self._wgp.wan_model is not None:
                self._wgp.wan_model._interrupt = False
        files = list(gen["file_list"][before:])
        for error in errors:
            _tell(job, listeners, SessionEvent("error", error))
        failed = bool(errors)
        result = GenerationResult(
            success=not failed,
            generated_files=files,
            errors=errors,
            successful_tasks=int(not failed),
            failed_tasks=int(failed),
        )
        _tell(job, listeners, SessionEvent("complete", result))
        self._busy.release()
        job.end(result)

    def _work(self, params, put, errors):
        """Run the engine, its output redirected; whatever it raises becomes a text."""
        output, isatty = self._console
        out = _Stream("stdout", put, sys.stdout if output else None, isatty)
        err = _Stream("stderr", put, sys.stderr if output else None, isatty)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                self._generate(params, put, errors)
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it becomes a text
            errors.append(GenerationError(str(exc), 0, stage="generation"))
        finally:
            put(_DONE)

    def _generate(self, params, put, errors):
        settings, problem = self._wgp.validate_task({"id": 0, "params": params}, self._state)
        if settings is None:
            errors.append(GenerationError(problem, 0, stage="validation"))
            return

        def send_cmd(command, data=None):
            if command == "error":
                errors.append(GenerationError(str(data), 0, stage="generation"))
            else:
                put(SessionEvent(command, data))

        names = inspect.signature(self._wgp.generate_media).parameters
        known = {**dict.fromkeys(names), **settings}
        given = {name: value for name, value in known.items() if name in names}
        given.update(task={"id": 0, "params": params}, send_cmd=send_cmd, state=self._state)
        self._wgp.generate_media(**given)


def _tell(job, listeners, event):
    """Put an event into the job's queue and call the callback that is for it, if there is one."""
    job.events.put(event)
    name, data = f"on_{event.kind}", event.data
    if event.kind == "progress":
        data = _update(data)
    callback = getattr(listeners, name, None)
    if callback is None:
        return
    try:
        callback(data)
    except Exception:  # noqa: BLE001 - a job goes on, whatever its callbacks do
        traceback.print_exc()


def _update(data):
    """Turn what send_cmd was given into an update."""
    if isinstance(data[0], int):
        return ProgressUpdate("inference" if data[0] else "start", data[1], data[0], None, None)
    step, total = data[0]
    phase = "inference" if step else "loading_model"
    return ProgressUpdate(phase, data[1], 100 * step // max(total, 1), step, total)


def _empty_gen():
    lists = ("file_list", "file_settings_list", "audio_file_list", "audio_file_settings_list")
    return {
        **{name: [] for name in (*lists, "queue")},
        "prompt_no": 1,
        "prompts_max": 1,
        "repeat_no": 1,
        "total_generation": 1,
        "window_no": 1,
        "total_windows": 1,
        "selected": 0,
        "progress_status": "Prompt 1/1",
        "process_status": "process:main",
    }


def init(
    *,
    root,
    config_path=None,
    output_dir=None,
    callbacks=None,
    cli_args=(),
    console_output=True,
    console_isatty=True,
):
    """Import wgp.py out of a checkout, and return a session for it."""
    arguments = list(cli_args)
    if config_path is not None:
        config = Path(config_path)
        if config.name != "wgp_config.json":
            raise ValueError("config_path must be the path of a wgp_config.json")
        arguments += ["--config", str(config.parent)]
    folder = str(Path(root).absolute())
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    before = sys.argv
    sys.argv = [str(Path(folder) / "wgp.py"), *arguments]
    try:
        wgp = importlib.import_module("wgp")
    finally:
        sys.argv = before
    return WanGPSession(wgp, output_dir, callbacks, console_output, console_isatty)
