"""A second try, in the same attempt, of what has run out of the device's memory.

What an earlier task has left, and how memory was split up, may be why there was no room: so all is
freed first, and the model loaded anew. Each try draws its noise from the request's seed, and finds
the model as its files have it: the result is that of a first one.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from opentelemetry import trace

import telemetry
from telemetry import names
from telemetry.recorder.exceptions import chain, message
from telemetry.recorder.leaving import let_go
from telemetry.recorder.values import type_name
from worker.engines.base import Engine, MemoryFacts
from worker.engines.device_faults import DeviceFault, device_fault
from worker.engines.sizes import gigabytes
from worker.handlers.base import Context

T = TypeVar("T")
_LONGEST_REASON: Final = 300
_MOST_PARTS: Final = 6  # that people are told of; the record has all
NOTE: Final = "device memory, after a second try with all of it freed: "
_log = logging.getLogger(__name__)


def with_second_try(context: Context, work: Callable[[], T]) -> T:
    """Do a piece of work; where the device's memory runs out, free all of it and do it once more.

    What is raised then says who holds the memory: as a note, as an event of the span, and in this
    function's variables.
    """
    try:
        return work()
    except Exception as exc:
        if device_fault(exc) is not DeviceFault.OUT_OF_MEMORY:
            raise
        memory, reason = _tell(context.engine, exc), _reason(exc)
        if recorder := telemetry.current():
            recorder.error(exc, handled=True)
        _let_go(exc)
    # Only here is the exception gone, and with it its frames, which hold what was computed so far.
    context.observer.check_cancelled()
    try:
        _free(context, reason)
        return work()
    except Exception as exc:
        if device_fault(exc) is DeviceFault.OUT_OF_MEMORY:
            memory = _tell(context.engine, exc)
            exc.add_note(NOTE + summary(memory))
        raise


def summary(memory: MemoryFacts) -> str:
    """Say in one line who holds the memory."""
    if memory == MemoryFacts():
        return "who holds it is not known"
    parts = [
        ", ".join(f"{size} {what}" for what, size in _sizes(memory.device).items()),
        f"of the model {_first(memory.components, _MOST_PARTS)}",
        f"of other tensors {_first(memory.tensors, 1)}",
        f"by processes {_first(memory.processes, _MOST_PARTS)}" if memory.processes else "",
    ]
    return "; ".join(filter(None, parts))


def _first(texts: tuple[str, ...], most: int) -> str:
    return ", ".join(texts[:most]) if texts else "none"


def _sizes(device: Mapping[str, int]) -> dict[str, str]:
    return {what.replace("_", " "): gigabytes(size) for what, size in device.items()}


def _tell(engine: Engine, exc: BaseException) -> MemoryFacts:
    """Add to the current span who holds the memory now."""
    memory = _asked(engine, exc)
    sizes = {
        names.MEMORY_TOTAL: memory.device.get("total"),
        names.MEMORY_FREE: memory.device.get("free"),
        names.MEMORY_ALLOCATED: memory.device.get("allocated"),
        names.MEMORY_RESERVED: memory.device.get("reserved"),
        names.MEMORY_LARGEST_FREE: memory.device.get("largest_free"),
    }
    texts = {
        names.MEMORY_COMPONENTS: list(memory.components),
        names.MEMORY_TENSORS: list(memory.tensors),
        names.MEMORY_PROCESSES: list(memory.processes),
    }
    told: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    told |= {name: found for name, found in texts.items() if found}
    trace.get_current_span().add_event(names.MEMORY_EVENT, told)
    return memory


def _asked(engine: Engine, exc: BaseException | None = None) -> MemoryFacts:
    """Ask who holds the memory; that it cannot be said must not hide what has failed."""
    try:
        return engine.memory(exc)
    except Exception as trouble:  # noqa: BLE001 - drivers and libraries in trouble raise anything
        _log.warning("who holds the device's memory cannot be said: %s", trouble)
        return MemoryFacts()


def _reason(exc: BaseException) -> str:
    said = f"{type_name(type(exc))}: {message(exc)}"
    return said if len(said) <= _LONGEST_REASON else f"{said[: _LONGEST_REASON - 1]}…"


def _let_go(exc: BaseException) -> None:
    """Empty the frames of an exception, and of those behind it, of what they hold.

    This module's own goes on, and has the exception in what was read of it.
    """
    let_go(exc)
    for link in chain(exc):
        traceback.clear_frames(link.exception.__traceback__)


def _free(context: Context, reason: str) -> None:
    """Free the device's memory, in a span that says why, and what that has given."""
    engine, model = context.engine, context.engine.loaded_model
    with telemetry.span(names.FREE_MEMORY, {names.REASON: reason}) as span:
        before = _asked(engine).device.get("free")
        engine.unload()
        after = _asked(engine).device.get("free")
        if before is not None and after is not None:
            span.set_attribute(names.MEMORY_FREED, after - before)
        if model is not None:
            engine.load(model)
    trace.get_current_span().add_event(names.SECOND_TRY_EVENT, {names.REASON: reason})
    _log.warning("the device's memory is freed, and the work begun again: %s", reason)
