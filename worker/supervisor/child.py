"""The task process as its supervisor sees it: started, spoken to, listened to, ended."""

import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from worker.messages import Channel, Configure, FromTaskProcess, Hello, ToTaskProcess

LAST_WORDS = 50  # lines of output kept for the report of a death


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
    """The task process is gone, and everything it said has been delivered before this."""

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
        self, configure: Configure, inbox: "queue.SimpleQueue[ChildEvent]", *, python: str = ""
    ) -> None:
        self._inbox = inbox
        self.journal: Path | None = None
        self.ready = False
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [python or sys.executable, "-m", "worker.process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._channel = Channel.of_supervisor(ours)
        self._listeners = [
            self._thread("said", self._listen),
            self._thread("stdout", self._read_output, self._process.stdout),
            self._thread("stderr", self._read_output, self._process.stderr),
        ]
        self._thread("exit", self._wait)
        self.send(configure)

    def send(self, message: ToTaskProcess) -> bool:
        """Send a message; False when the process is gone, which its `Exited` will tell."""
        return self._channel.send(message)

    def end(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process and to everything that it started."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            logging.getLogger(__name__).debug("task process %d was gone already", self.pid)

    @property
    def returncode(self) -> int | None:
        """Exit code, or minus the number of the signal that ended it; None while it lives."""
        return self._process.returncode

    def wait(self, timeout_s: float) -> bool:
        """Wait for the process's end; False when it did not come in time."""
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

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
        for message in self._channel:
            if isinstance(message, Hello):
                self.journal = Path(message.journal)
            self._inbox.put(Said(child=self, message=message))

    def _read_output(self, stream: IO[bytes]) -> None:
        name = "stdout" if stream is self._process.stdout else "stderr"
        for line in _lines(stream):
            self.last_words.append(line)
            self._inbox.put(Printed(child=self, stream=name, line=line))

    def _wait(self) -> None:
        returncode = self._process.wait()
        # What a grandchild keeps open must not keep the news of the death from the supervisor.
        for listener in self._listeners:
            listener.join(timeout=0.5)
        self._channel.close()
        self._inbox.put(Exited(child=self, returncode=returncode))


def _lines(stream: Iterable[bytes]) -> Iterable[str]:
    for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        if line:
            yield line
