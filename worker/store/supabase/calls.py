"""Calls to the queue's functions, repeated while what keeps them from an answer may pass."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
from postgrest.exceptions import APIError

from worker.errors import QueueError, QueueIncompatible, QueueUnavailable, WorkerError
from worker.patience import Patience
from worker.store.supabase.connection import Connection
from worker.store.supabase.json_values import read
from worker.store.supabase.refusals import refusal_of


class Calls:
    """Calls functions of the database by name.

    Each call is one transaction there, and may be repeated: every function answers a repeated call
    as it did the first one, by the token or the request that the call carries.

    Args:
        connection: The client.
        where: Names the queue, for people.
        patience: With which a call is repeated.
    """

    def __init__(self, connection: Connection, where: str, patience: Patience) -> None:
        self._connection = connection
        self._where = where
        self._patience = patience
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

        def passes(trouble: WorkerError) -> bool:
            was_there = isinstance(trouble, QueueIncompatible) and function in self._answered
            return trouble.retryable or was_there

        found = self._patience(partial(self._once, function, params), passes=passes)
        self._answered.add(function)
        return found

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
