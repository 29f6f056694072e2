"""A background duty: a thread of the supervisor that outlives whatever one round of it meets."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

STOP_WAIT_S = 1.0  # a thread that waits for the queue is not waited for: it dies with the process


@contextmanager
def contained(log: logging.Logger, duty: str) -> Iterator[None]:
    """Contain what one round of a duty raises: it is logged whole, and the next round comes."""
    try:
        yield
    except Exception:
        log.exception("%s met what it does not know, and goes on", duty)
