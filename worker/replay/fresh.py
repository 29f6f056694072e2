"""The fresh process as the replay sees it: started, listened to, ended whatever happens."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from telemetry.recorder.redaction import LineRedactor
from worker.messages import Channel, Finished, FromTaskProcess
from worker.supervisor.child import LAST_WORDS, TaskProgram, lines_of

OUTPUT = "output.txt"
KILL_WAIT_S = 10.0
_LOOK_S = 0.02
_READ_BYTES = 1 << 20  # of its output, from the end


class FreshProcess:
    """One run of `worker.replay.process`; to be made and listened to in the main thread.

    In the background it has a session of its own, so that a Ctrl-C reaches us alone, and its
    output goes to a file. In the foreground it has this terminal, for the debugger.

    Args:
        order: The file with its order.
        folder: The replay's own.
        program: How a task process is started.
        foreground: Whether people are to speak to it.
    """

    def __init__(
        self, order: Path, folder: Path, *, program: TaskProgram, foreground: bool
    ) -> None:
        self.foreground = foreground
        self._output = folder / OUTPUT
        self._inbox: queue.SimpleQueue[FromTaskProcess | None] = queue.SimpleQueue()
        ours, theirs = socket.socketpair()
        with theirs, self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*program.argv, "worker.replay.process", str(theirs.fileno()), str(order)],
                pass_fds=[theirs.fileno()],
                stdin=None if foreground else subprocess.DEVNULL,
                stdout=None if foreground else output,
                stderr=None if foreground else output,
                start_new_session=not foreground,
                env=program.environment,
            )
        self.pid = self._process.pid
        self._channel = Channel.of_supervisor(ours)
        self._interrupted = signal.getsignal(signal.SIGINT)
        threading.Thread(target=self._listen, name="fresh-process", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and what it has started."""
        self.end()
        self.wait(KILL_WAIT_S)
        self._channel.close()
        signal.signal(signal.SIGINT, self._interrupted)

    def messages(self, look_s: float) -> Iterator[FromTaskProcess | None]:
        """Yield what it says, and None when it has said nothing for a while, until it is gone."""
        while True:
            try:
                message = self._inbox.get(timeout=look_s)
            except queue.Empty:
                yield None
                continue
            if message is None:
                return
            if self.foreground and isinstance(message, Finished):
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # from now on it is the debugger's
            yield message

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end and return what `subprocess` has for it; None when it does not come."""
        deadline = time.monotonic() + timeout_s
        while self._process.returncode is None and not self._is_gone():
            if time.monotonic() >= deadline:
                return None
            time.sleep(_LOOK_S)
        self.end()  # what it has started; its number is still taken, so it can be nobody else's
        return self._process.wait()

    def end(self) -> None:
        """Kill it, and in the background everything that it has started."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self.foreground:
                self._process.send_signal(signal.SIGKILL)
            else:
                os.killpg(self.pid, signal.SIGKILL)

    def last_words(self) -> list[str]:
        """Return what it wrote last to its stdout and stderr, without secrets."""
        redacted = LineRedactor()
        with self._output.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _READ_BYTES))
            lines = deque(lines_of(file), maxlen=LAST_WORDS)
        said = (redacted(raw.decode(errors="replace").rstrip(), ended=end) for raw, end in lines)
        return [line for line in said if line]

    def _is_gone(self) -> bool:
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def _listen(self) -> None:
        try:
            for message in self._channel:
                self._inbox.put(message)
        except (msgspec.MsgspecError, OSError, ValueError):
            pass  # what nobody understands is as good as its end, which is told by how it ends
        finally:
            self._inbox.put(None)
