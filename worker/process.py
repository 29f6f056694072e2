"""The task process: keeps a model loaded and runs one task after another, told by its supervisor.

It sends no telemetry over a network: what it has to tell, it appends to its journal. It knows no
queue: claims come from the supervisor, outcomes go back to it.
"""

import contextlib
import ctypes
import os
import platform
import queue
import signal
import socket
import sys
import threading
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from opentelemetry import context as otel_context

from telemetry import stacks
from telemetry.propagation import remote_context, trace_id_of
from telemetry.recorder import Recorder
from worker.boundary import told
from worker.engines.base import Engine
from worker.engines.registry import engine_named
from worker.errors import EXIT_CONFIGURATION, EXIT_GPU, TaskCancelled, WorkerError
from worker.handlers.base import Context
from worker.handlers.registry import handler_for
from worker.messages import (
    Cancel,
    Channel,
    Configure,
    Exit,
    Finished,
    Hello,
    Ready,
    Run,
    TroubleTeller,
    Unready,
    finished,
)
from worker.observer import ChannelObserver
from worker.output.storage import LocalStorage
from worker.task import Cancelled, Claim, Outcome
from worker.video import ffmpeg

EXIT_MISUNDERSTOOD = 76  # EX_PROTOCOL of sysexits.h
_VERSIONED = ("torch", "diffusers", "transformers", "peft", "accelerate", "mmgp")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Ends meant by us, which leave no stack; `telemetry.stacks` wraps the name in `os`.
_leave = os._exit


@dataclass(slots=True)
class TaskProcess:
    """The task process, once it is configured."""

    configure: Configure
    channel: TroubleTeller
    engine: Engine
    recorder: Recorder
    storage: LocalStorage
    leaves_stacks: bool
    observer: ChannelObserver | None = None
    cancelled: dict[UUID, str] = field(default_factory=dict)

    def run(self, claim: Claim) -> int | None:
        """Run one task and send its outcome, whatever happens in it.

        Returns the exit code that this process is to end with, where its device is gone.
        """
        if not self.leaves_stacks:  # its journal may have begun since
            self.leaves_stacks = stacks.write_to(self.recorder.writer.directory)
        self.observer = ChannelObserver(self.channel, claim.token, self.engine)
        if claim.token in self.cancelled:  # before its thread had come here
            self.observer.cancel(self.cancelled[claim.token])
        attached = otel_context.attach(remote_context(claim.task.process_context))
        try:
            message = self._attempt(claim, self.observer)
            self.channel.send(message)
        finally:
            otel_context.detach(attached)
            self.observer = None
            self.cancelled.pop(claim.token, None)
        return message.exit_code or None

    def cancel(self, message: Cancel) -> None:
        """Have a task stop at its next check, also one that has not begun yet."""
        self.cancelled[message.token] = message.reason
        observer = self.observer
        if observer is not None and observer.token == message.token:
            observer.cancel(message.reason)

    def handle(self, claim: Claim, observer: ChannelObserver) -> Outcome:
        """Do the task in its attempt's own folder; what it raises is for the boundary around it."""
        context = Context(
            claim=claim,
            engine=self.engine,
            observer=observer,
            work_dir=self.storage.attempt_dir(claim.task.id, claim.token),
            inputs=self.configure.inputs,
            video_crf=self.configure.video_crf,
            video_preset=self.configure.video_preset,
            unknown_params=self.configure.unknown_params,
            refuse_blank_output=self.configure.refuse_blank_output,
        )
        return handler_for(claim.task.task_type).run(context)

    def _attempt(self, claim: Claim, observer: ChannelObserver) -> Finished:
        task = claim.task
        with self.recorder.task(
            task_id=str(task.id),
            attempt=task.attempts,
            task_type=task.task_type,
            trace_id=trace_id_of(task.process_context),
            worker_id=self.configure.worker_id,
            params=task.params,
        ) as scope:
            message = self._finish(claim, observer)
            scope.outcome = message.outcome
        return message

    def _finish(self, claim: Claim, observer: ChannelObserver) -> Finished:
        """Run the handler. This is the task boundary: every exception ends here, by boundary."""
        try:
            return finished(claim.token, self.handle(claim, observer))
        except TaskCancelled as cancelled:
            return finished(claim.token, Cancelled(reason=str(cancelled)))
        except BaseException as exc:  # noqa: BLE001 - a task may raise anything; it fails alone
            error = self.recorder.error(exc)
            return told(
                claim.token,
                exc,
                error,
                blocking_rerun=self.configure.blocking_rerun,
                calls_wait=self.configure.calls_wait,
            )


def main(argv: list[str]) -> int:
    """Run a task process at the end of the socket whose descriptor is the only argument."""
    end = socket.socket(fileno=int(argv[1]))
    end.set_inheritable(False)
    channel = Channel.of_task_process(end)
    messages = iter(channel)
    configure = next(messages, None)
    if not isinstance(configure, Configure):
        return 0  # the supervisor was gone before it had said anything
    recorder, leaves_stacks = begin(configure, channel)
    code = _serve(configure, channel, messages, recorder, leaves_stacks=leaves_stacks)
    recorder.close(exit_code=code)
    return code


def begin(configure: Configure, channel: Channel) -> tuple[Recorder, bool]:
    """Tie this process to its supervisor, open its journal, and say where that is.

    Returns the recorder, and whether the process leaves its stacks beside the journal.
    """
    _die_with(configure.supervisor_pid)
    recorder = Recorder.open(
        Path(configure.spool),
        role="task",
        facts={
            "worker_id": configure.worker_id,
            "supervisor_pid": configure.supervisor_pid,
            "engine": configure.engine,
            **_versions(),
        },
        rotate_bytes=configure.rotate_bytes,
        record_prompts=configure.record_prompts,
        own_code=configure.own_code,
        patient=True,  # the supervisor has found the spool in order; a task is not to wait for it
    )
    recorder.install()
    ffmpeg.use(configure.ffmpeg)
    leaves_stacks = stacks.write_to(recorder.writer.directory)
    channel.send(Hello(journal=str(recorder.writer.directory)))
    return recorder, leaves_stacks


def _versions() -> dict[str, str]:
    """Return the versions that a failure may hang on; nothing is imported for it."""
    found = {"python": platform.python_version()}
    for package in _VERSIONED:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def ready_engine(configure: Configure, channel: Channel, recorder: Recorder) -> Engine | int:
    """Make the engine, prove its device, and say that it is ready; return it.

    Where that cannot be, it says why and returns the exit code.
    """
    try:
        engine = _engine_of(configure)
        device = engine.device()
    except (ImportError, WorkerError) as exc:
        recorder.error(exc)
        problem = f"the engine {configure.engine!r} cannot start: {exc}"
        channel.send(Unready(problem=problem, exit_code=EXIT_CONFIGURATION))
        return EXIT_CONFIGURATION
    if not device.ready:
        channel.send(Unready(problem=device.problem, exit_code=EXIT_GPU))
        return EXIT_GPU
    channel.send(Ready(device={**asdict(device), "facts": dict(device.facts)}))
    return engine


def _engine_of(configure: Configure) -> Engine:
    """Make the engine that the settings name. Raises `SettingsError`."""
    return engine_named(
        configure.engine,
        definition_dirs=[Path(folder) for folder in configure.definition_dirs],
        models_dir=Path(configure.models),
        options=configure.engine_options,
    )


def _serve(
    configure: Configure,
    channel: Channel,
    messages: Any,
    recorder: Recorder,
    *,
    leaves_stacks: bool,
) -> int:
    engine = ready_engine(configure, channel, recorder)
    if isinstance(engine, int):
        return engine
    process = TaskProcess(
        configure=configure,
        channel=TroubleTeller(channel, recorder),
        engine=engine,
        recorder=recorder,
        storage=LocalStorage(Path(configure.outputs)),
        leaves_stacks=leaves_stacks,
    )
    runs = _listen(messages, process)
    while (message := runs.get()) is not None:
        if (code := process.run(message.claim)) is not None:
            return code
    return 0


def _listen(messages: Any, process: TaskProcess) -> "queue.SimpleQueue[Run | None]":
    """Read the supervisor's messages in a thread: a cancel must not wait for the task it ends."""
    runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()

    def listen() -> None:
        code = EXIT_MISUNDERSTOOD
        try:
            for message in messages:
                match message:
                    case Run():
                        runs.put(message)
                    case Cancel():
                        process.cancel(message)
                    case Exit():
                        runs.put(None)
            code = 0  # the supervisor is gone; nobody is left to give an outcome to
        except msgspec.MsgspecError as exc:
            sys.stderr.write(f"what the supervisor says is not understood: {exc}\n")
            sys.stderr.flush()
        finally:
            _leave(code)

    threading.Thread(target=listen, name="supervisor", daemon=True).start()
    return runs


def _die_with(supervisor_pid: int) -> None:
    """Have the kernel end this process when its supervisor's main thread ends."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor_pid:
        _leave(0)  # it had died before the kernel was asked


if __name__ == "__main__":
    sys.exit(main(sys.argv))
