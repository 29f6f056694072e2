"""The boundary of a task: what it has raised becomes what its supervisor is told."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from uuid import UUID

from telemetry.records import Error
from worker.engines.device_faults import (
    DeviceFault,
    device_fault,
    device_lost,
    is_of_hardware,
    unheard_fault,
)
from worker.errors import EXIT_GPU
from worker.failure import failure_of
from worker.handlers.second_try import NOTE
from worker.messages import Finished, finished
from worker.task import Failed, Retry

_LATE: Final = (
    "CUDA tells of an error later than it happens, so this line need not be its cause: "
    "`loop26 replay ID --blocking` or the setting blocking_rerun names it"
)
_EXACT: Final = "CUDA's calls waited for their end, so this line is its cause"
_log = logging.getLogger(__name__)


def told(
    token: UUID,
    exc: BaseException,
    error: Error,
    *,
    blocking_rerun: bool,
    calls_wait: bool,
) -> Finished:
    """Say what becomes of a task that has raised an exception, and of its process.

    Where the device is gone, or its hardware has failed, the task may be tried again, elsewhere as
    a rule. That attempt counts: a task may be what takes devices down.

    Args:
        token: Of the claim.
        exc: What was raised.
        error: The record of it.
        blocking_rerun: Whether the task may be run once more, to find the line of a CUDA error.
        calls_wait: Whether CUDA's calls waited for what they asked for, so that its line is exact.
    """
    fault = _fault(exc)
    lost = device_lost() if fault is DeviceFault.POISONED else ""
    gone = bool(lost) or fault is DeviceFault.GONE
    failure = failure_of(error, exc, more="; ".join(_more(exc, calls_wait=calls_wait)))
    _log.error("%s", failure.sentence)
    may_pass = failure.retryable or gone or is_of_hardware(exc)
    poisoned = fault is DeviceFault.POISONED and not gone
    recycle = f"{error.type}: the device must be opened anew" if poisoned else ""
    return finished(
        token,
        Retry(failure=replace(failure, retryable=True)) if may_pass else Failed(failure=failure),
        recycle=f"the device is gone: {lost or error.message}" if gone else recycle,
        again=poisoned and blocking_rerun and not calls_wait,
        exit_code=EXIT_GPU if gone else 0,
    )


def _fault(exc: BaseException) -> DeviceFault | None:
    """Say what is wrong with the device; it is asked where the exception says nothing of it."""
    fault = device_fault(exc)
    unheard = unheard_fault() if fault is None else None
    if unheard is None:
        return fault
    _log.error("CUDA had failed before, and the engine has kept it to itself: %s", unheard)
    return device_fault(unheard)


def _more(exc: BaseException, *, calls_wait: bool) -> Iterator[str]:
    """Say what people must know of a fault of the device beside its message."""
    if device_fault(exc) is DeviceFault.POISONED:
        yield _EXACT if calls_wait else _LATE
    yield from (note for note in getattr(exc, "__notes__", ()) if note.startswith(NOTE))
