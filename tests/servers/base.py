"""What the servers that tests start have in common: how they begin, and how they end."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, ClassVar, Self

from tests.servers.environment import server_environment

LEASH = Path(__file__).with_name("leash.py")
READY_S = 120


class Server(ABC):
    """A program on ports of loopback, to be used in a `with` block.

    It ends with the block, and with the process that started it, whatever ends that. Stopped or
    killed and started again, it has its ports as before.

    Args:
        folder: Where it runs; it is there when it is started.
        log_name: The file there that it writes into.

    Attributes:
        asks: The signal by which it is asked to end.
        patience_s: How long it may take to do so, before it is killed.
    """

    asks: ClassVar[Signals] = SIGTERM
    patience_s: ClassVar[float] = 10

    def __init__(self, folder: Path, log_name: str = "server.log") -> None:
        self.folder = folder
        self._log_name = log_name
        self._leash: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @abstractmethod
    def command(self) -> list[str]:
        """Say what is run."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    def variables(self) -> dict[str, str]:
        """Say what its environment has that no other server's has."""
        return {}

    def leashed(self) -> dict[str, Any]:
        """Say what `leash.hold` is told beside the command, and how the server is ended."""
        return {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._leash is None, "it runs"
        how = {"command": self.command(), "asks": self.asks, "patience_s": self.patience_s}
        with (self.folder / self._log_name).open("ab") as log:
            self._leash = subprocess.Popen(
                [sys.executable, "-I", "-S", LEASH, json.dumps({**how, **self.leashed()})],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                env=server_environment(**self.variables()),
                start_new_session=True,  # what is typed at the terminal is for the tests
            )
        try:
            self._wait_until_ready(self._leash)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it as an operator does; kill it when that takes too long."""
        self._end(self.asks)

    def kill(self) -> None:
        """End it in the midst of what it does, and all that it has started."""
        ended = self._ended_by(SIGKILL, READY_S)
        assert ended, self.log

    def restart(self) -> None:
        """Stop it, and start it again."""
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        """Its process, the parent of its others."""
        assert self._leash is not None, "it does not run"
        assert self._leash.stdout is not None
        self._pid = self._pid or int(self._leash.stdout.readline())
        return self._pid

    @property
    def log(self) -> str:
        """What it has said, the end of it."""
        return (self.folder / self._log_name).read_text("utf-8", "replace")[-4000:]

    def _wait_until_ready(self, leash: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_S
        while not self.is_ready():
            assert leash.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def _end(self, number: Signals) -> None:
        if self._leash is not None and not self._ended_by(number, self.patience_s):
            self.kill()

    def _ended_by(self, number: Signals, within_s: float) -> bool:
        """Send it a signal; say whether it has ended."""
        leash = self._leash
        assert leash is not None, "it does not run"
        assert leash.stdin is not None
        with suppress(BrokenPipeError):  # it ended by itself
            leash.stdin.write(bytes([number]))
        try:
            leash.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        with leash:  # closes its pipes
            self._leash, self._pid = None, 0
        return True


def answers(url: str) -> bool:
    """Whether an address answers, with 200."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a server of the tests
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
