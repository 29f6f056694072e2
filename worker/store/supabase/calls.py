"""Calls to the queue's functions, repeated while what keeps them from an answer may pass."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
from postgrest.exceptions import APIError

from worker.errors import QueueError, QueueIncompatible, QueueUnavailable
from worker.store.supabase.connection import Connection
from worker.store.supabase.json_values import read
from worker.store.supabase.refusals import refusal_of

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0


class Calls:
    """Calls functions of the database by name.

    Each call is one transaction there, and may be repeated: every function answers a repeated call
    as it did the first one, by the token or the request that the call carries.

    Args:
        connection: The client.
        where: Names the queue, for people.
        patience_s: For how long a call is repeated before `QueueUnavailable` is raised.
        clock: Seconds that never go back.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        connection: Connection,
        where: str,
        *,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._where = where
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._answered: set[str] = set()

    def __call__(self, function: str, params: Mapping[str, Any]) -> Any:
        """Call `loop26_<function>` and return what it does, as JSON gives it.

        Raises:
            QueueUnavailable: It cannot be reached, or cannot answer now, for all of the patience.
            QueueForbidden: Key or token do not allow it.
            QueueIncompatible: The database lacks the function; of one that was there before, only
                after all of the patience: PostgREST loses sight of it while a migration changes it.
            InvalidTask: A task is refused.
            QueueError: Anything else.
        """
        until = self._clock() + self._patience_s
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                found = self._once(function, params)
            except (QueueUnavailable, QueueIncompatible) as trouble:
                if isinstance(trouble, QueueIncompatible) and function not in self._answered:
                    raise
                # Not all at once: workers that lost the same database come back to it together.
                pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - to part them, no secret
                if self._clock() + pause_s > until:
                    raise
            else:
                self._answered.add(function)
                return found
            self._sleep(pause_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _once(self, function: str, params: Mapping[str, Any]) -> Any:
        self._connection.forget()
        try:
            found = self._connection.client.rpc(f"loop26_{function}", dict(params)).execute().data
        except (APIError, httpx.HTTPError) as error:
            answer = self._connection.answer
            raise refusal_of(error, answer.status if answer else None, self._where) from error
        except (ValueError, RecursionError) as error:
            if self._connection.answer is None:
                raise QueueError(f"queue {self._where} cannot be asked that: {error}") from error
            # A row of another application's may hold it; the others must not suffer by that.
            return read(self._connection.body)
        # A proxy's page, or nothing; no function answers with a text.
        if isinstance(found, str) or (found == [] and not self._connection.body):
            raise QueueUnavailable(f"queue {self._where} answers with something that is no JSON")
        return found
