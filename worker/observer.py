"""The observer of a task: tells its supervisor how far it is, and the task when it is cancelled."""

import time
from uuid import UUID

from worker.engines.base import Engine
from worker.errors import TaskCancelled
from worker.messages import Alive, Progress, Started, TroubleTeller

_ALIVE_EVERY_S = 1.0


class ChannelObserver:
    """Tells the supervisor how far a task is; learns from it that the task was cancelled.

    Satisfies `worker.handlers.base.TaskObserver`.
    """

    def __init__(self, channel: TroubleTeller, token: UUID, engine: Engine) -> None:
        self._channel = channel
        self._engine = engine
        self._stage = ""
        self._cancelled: str | None = None
        self._told_at = 0.0
        self.token = token

    def cancel(self, reason: str) -> None:
        """Let the next check raise. Called from the thread that reads the channel."""
        self._cancelled = reason

    def check_cancelled(self) -> None:
        """Raise `TaskCancelled` when the task was cancelled; else tell that it goes on."""
        if self._cancelled is not None:
            raise TaskCancelled(self._cancelled)
        if time.monotonic() - self._told_at >= _ALIVE_EVERY_S:
            self._send(Alive(token=self.token, at=time.time()))

    def stage(self, name: str) -> None:
        """Tell that the task enters a stage."""
        self.check_cancelled()
        self._stage = name
        self._tell(0, 0)

    def step(self, index: int, count: int) -> None:
        """Tell that step `index` of `count` is done."""
        self._tell(index, count)

    def started(self) -> None:
        """Tell that the model is loaded."""
        self._send(
            Started(
                token=self.token,
                model=self._engine.loaded_model or "",
                load_count=self._engine.load_count,
            )
        )

    def _tell(self, step: int, steps: int) -> None:
        self._send(
            Progress(token=self.token, at=time.time(), stage=self._stage, step=step, steps=steps)
        )

    def _send(self, message: Progress | Alive | Started) -> None:
        self._told_at = time.monotonic()
        self._channel.send(message)
