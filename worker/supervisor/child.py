"""The task process as its supervisor sees it: started, spoken to, listened to, ended."""

import contextlib
import logging
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from telemetry.recorder.redaction import LineRedactor
from worker.errors import EXIT_CONFIGURATION
from worker.messages import Channel, Configure, FromTaskProcess, Hello, ToTaskProcess

LAST_WORDS = 400  # lines of output kept for the report of a death; Python's own stack is among them
LONGEST_LINE = 65_536  # bytes; a progress bar may never end its line
SEND_TIMEOUT_S = 10
HEARING_WAIT_S = 1.0
OUTPUT_WAIT_S = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgram:
    """How a task process is started.

    Attributes:
        argv: What stands before the name of the module that it runs.
        environment: Its environment.
    """

    argv: Sequence[str] = (sys.executable, "-m")
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The task process sent a message."""

    child: "Child"
    message: FromTaskProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """The task process, or native code in it, wrote a line to its stdout or stderr."""

    child: "Child"
    stream: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The task process is gone; what it said and printed has been delivered before this."""

    child: "Child"
    returncode: int


ChildEvent = Said | Printed | Exited


class Child:
    """One task process. Make and start it from the supervisor's main thread.

    The kernel ends the task process when the *thread* that started it ends. It runs in a session
    of its own, so that a Ctrl-C in the terminal reaches the supervisor alone, which decides; and so
    that whatever it starts itself can be ended with it.
    """

    def __init__(
        self,
        configure: Configure,
        inbox: "queue.SimpleQueue[ChildEvent]",
        program: TaskProgram,
    ) -> None:
        self._inbox = inbox
        self._over = threading.Event()
        self.journal: Path | None = None
        self.ready = False
        self.leaving = False  # it has said, or was told, that it ends by itself
        self.returncode: int | None = None
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._last_error = ""
        ours, theirs = socket.socketpair()
        # A task process that does not read must not hold up the supervisor.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT_S, 0))
        with theirs:
            self._process = subprocess.Popen(
                [*program.argv, "worker.process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=program.environment,
            )
        self.pid = self._process.pid
        self._channel = Channel.of_supervisor(ours)
        self._hearing = self._thread("said", self._listen)
        self._reading = [
            self._thread("stdout", self._read_output, self._process.stdout),
            self._thread("stderr", self._read_output, self._process.stderr),
        ]
        self._thread("exit", self._wait)
        self.send(configure)

    @property
    def refusal(self) -> str:
        """Why its interpreter will not do, where it has ended for that; or ""."""
        return self._last_error if is_refusal(self.returncode, self.journal) else ""

    def send(self, message: ToTaskProcess) -> bool:
        """Send a message; False when the process is gone, which its `Exited` will tell.

        Raises `ValueError` for a message that holds text which is no Unicode.
        """
        return self._channel.send(message)

    def end(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process and to everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the process's end; False when it did not come in time."""
        return self._over.wait(timeout_s)

    def _thread(self, name: str, target: object, *args: object) -> threading.Thread:
        thread = threading.Thread(
            target=target,  # type: ignore[arg-type]  # one of our own methods, with its arguments
            args=args,
            name=f"task-process-{name}",
            daemon=True,
        )
        thread.start()
        return thread

    def _listen(self) -> None:
        try:
            for message in self._channel:
                if isinstance(message, Hello):
                    self.journal = Path(message.journal)
                self._inbox.put(Said(child=self, message=message))
        except msgspec.MsgspecError:
            _log.exception("task process %d says what nobody understands, and is ended", self.pid)
            self.end()

    def _read_output(self, stream: IO[bytes]) -> None:
        name = "stdout" if stream is self._process.stdout else "stderr"
        redacted = LineRedactor()
        with stream:
            for raw, ended in lines_of(stream):
                line = redacted(raw.decode(errors="replace").rstrip(), ended=ended)
                if line:
                    self.last_words.append(line)
                    if name == "stderr":
                        self._last_error = line
                    self._inbox.put(Printed(child=self, stream=name, line=line))

    def _wait(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.end()  # what it has started; its own number is still taken, so it can be nobody else's
        self.returncode = self._process.wait()
        self._over.set()
        # Their other ends are closed, and what came is there to be read; but for those that a
        # descendant holds which left the session.
        self._hearing.join(timeout=HEARING_WAIT_S)
        deadline = time.monotonic() + OUTPUT_WAIT_S
        for reading in self._reading:
            reading.join(timeout=max(0.0, deadline - time.monotonic()))
        self._channel.close()
        self._inbox.put(Exited(child=self, returncode=self.returncode))


def is_refusal(returncode: int | None, journal: Path | None) -> bool:
    """Whether a process ended because its interpreter will not do; what it wrote last says why.

    Such an end is that of `worker.engines.wan2gp.start`, which cannot send a message.
    """
    return returncode == EXIT_CONFIGURATION and journal is None


def lines_of(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines of a stream, and of one that is too long pieces; whether each is its end.

    A progress bar's line ends where it goes back to its beginning.
    """
    rest = b""
    while read := stream.readline(LONGEST_LINE - len(rest)):
        raw = rest + read
        ended = len(raw) < LONGEST_LINE or raw.endswith(b"\n")
        end = len(raw) if ended else raw.rfind(b"\r") + 1
        yield raw[: end or None], bool(end)
        rest = raw[end:] if end else b""
    if rest:
        yield rest, True
