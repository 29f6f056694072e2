"""Runs drills one after another, shows how far they are, then what came of them."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from rich.console import Console

from worker.drill.arrival import arrivals
from worker.drill.checks import Check, of_failure
from worker.drill.folder import drill_folder
from worker.drill.incident import incident
from worker.drill.incident_checks import of_incident
from worker.drill.planted import Planted, planted
from worker.drill.results import Result
from worker.drill.running import Drilled, Skipped, Tell, drill, has_cuda
from worker.engines.drill.models import CUDA, INCIDENT
from worker.settings import Settings


def run_drills(
    settings: Settings, faults: Sequence[str], *, wait_s: float, out: Console | None
) -> tuple[list[Result], Path]:
    """Run drills in the folder `drill` of a home; return what came of them, and the folder.

    Args:
        settings: The deployment's.
        faults: Names of faults, in order.
        wait_s: How long each waits for its telemetry to be acknowledged and to arrive.
        out: Where to show how far they are: in a terminal only. None shows nothing.

    Raises:
        UnknownFault: Before anything is begun.
        DrillBusy: Another drill runs in that folder.
        DrillStopped: A worker was told to stop, or could not start.
    """
    for fault in faults:
        planted(fault)
    results = []
    with drill_folder(settings) as own, _progress(out) as tell, _quiet():
        is_real = cache(lambda: _asked_for_cuda(own, tell))
        for number, fault in enumerate(faults, start=1):
            began = time.monotonic()
            count = f"{number}/{len(faults)} " if len(faults) > 1 else ""
            what = planted(fault, simulated=fault in CUDA and not is_real())
            telling = _telling(tell, f"{count}{fault}")
            results.append(_one(own, what, wait_s, telling, began=began))
    return results, own.home


def _one(settings: Settings, what: Planted, wait_s: float, tell: Tell, *, began: float) -> Result:
    try:
        tasks, checks = _checked(settings, what, wait_s, tell)
    except Skipped as why:
        return Result(fault=what.fault, skipped=str(why), took_s=time.monotonic() - began)
    return Result(
        fault=what.fault,
        tasks=tuple(str(one.task.id) for one in tasks),
        checks=tuple(checks),
        settled_s=tasks[0].settled_after_s,
        took_s=time.monotonic() - began,
        simulated=what.simulated,
    )


def _checked(
    settings: Settings, what: Planted, wait_s: float, tell: Tell
) -> tuple[list[Drilled], list[Check]]:
    if what.fault == INCIDENT:
        return _checked_incident(settings, wait_s, tell)
    drilled = drill(settings, what, tell)
    arrived = arrivals(settings, [drilled], wait_s=wait_s, tell=tell)
    return [drilled], [*of_failure(what, drilled), *arrived]


def _checked_incident(
    settings: Settings, wait_s: float, tell: Tell
) -> tuple[list[Drilled], list[Check]]:
    arrived: list[Check] = []

    def ask(first: Drilled, second: Drilled) -> None:
        arrived.extend(arrivals(settings, [first, second], wait_s=wait_s, tell=tell))

    happened = incident(settings, tell, before_the_cut=ask)
    tell("investigating")
    both = [replace(check, part="telemetry of both") for check in arrived]
    return [happened.first, happened.second], [*of_incident(settings, happened), *both]


def _asked_for_cuda(settings: Settings, tell: Tell) -> bool:
    tell("looking for CUDA")
    return has_cuda(settings)


def _telling(tell: Tell, what: str) -> Tell:
    return lambda said: tell(f"{what}: {said}")


@contextmanager
def _progress(out: Console | None) -> Iterator[Tell]:
    """Show one line that changes, in a terminal; nothing elsewhere."""
    if out is None or not out.is_terminal:
        yield lambda _said: None
        return
    with out.status("") as status:
        yield status.update


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the worker logs from stderr: it is in the journals, and faults are meant here."""
    nowhere = logging.NullHandler()
    logging.getLogger().addHandler(nowhere)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(nowhere)
