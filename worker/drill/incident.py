"""The incident again: a journey of 13 segments, one defect, and a log that is cut at LOOP 26."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import UUID

from telemetry.journal import JournalReader, Position, process_directories, read_index
from telemetry.journal.directory import journal_files
from telemetry.records import Kind
from telemetry.shipper.follower import Shipped, journal_bytes, read_shipped, write_shipped
from worker.drill.journey import SEGMENTS, journey, lay_out, segment_again
from worker.drill.planted import Planted, planted
from worker.drill.running import Drilled, DrillStopped, Skipped, Tell, enqueue, look, work
from worker.engines.drill.models import INCIDENT
from worker.output.storage import black_box_of
from worker.settings import Settings
from worker.store.local import LocalStore
from worker.task import SEGMENT

CUT_AFTER: Final = "LOOP [26/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What the incident left.

    Attributes:
        planted: The defect.
        orchestrator: The id of the journey's task.
        first: The segment that failed in the journey, its record whole.
        second: A segment made again alone, its record cut at LOOP 26.
        whole: The same before it was cut.
        folder: The home that both are in.
    """

    planted: Planted
    orchestrator: UUID
    first: Drilled
    second: Drilled
    whole: Drilled
    folder: Path


def incident(
    settings: Settings,
    tell: Tell,
    *,
    before_the_cut: Callable[[Drilled, Drilled], None] = lambda _first, _second: None,
) -> Incident:
    """Have the incident happen again in a home, which must be ready and have nothing to do.

    Args:
        settings: Of that home. Of what other limits say, `allowed_roots` must let its own pictures
            and LoRAs pass.
        tell: Is told what goes on.
        before_the_cut: Is given both failures while the records of both are whole.

    Raises:
        Skipped: Pictures cannot be decoded here.
        DrillStopped: The worker was told to stop, or a segment did not fail.
    """
    if find_spec("PIL") is None:
        raise Skipped("a journey's pictures need Pillow: install loop26[diffusers]")
    defect = planted(INCIDENT)
    asked = journey(defect.model, lay_out(settings.home))
    tell(f"a journey of {SEGMENTS} segments")
    enqueue(settings, asked)
    refused = work(settings, tell)
    first = look(settings, _failed_segment(settings, asked.id), refused=refused)
    tell("a segment of it again, alone")
    again = segment_again(defect.model, asked)
    enqueue(settings, again)
    refused = work(settings, tell)
    whole = look(settings, again.id, refused=refused)
    before_the_cut(first, whole)
    cut_record(settings, again.id)
    # Looked at once more: by now the second is known as the same failure.
    return Incident(
        planted=defect,
        orchestrator=asked.id,
        first=replace(look(settings, first.task.id), refused=first.refused),
        second=look(settings, again.id),
        whole=whole,
        folder=settings.home,
    )


def cut_record(settings: Settings, task_id: UUID) -> None:
    """Cut the record of a task where the incident's was cut: what LOOP 26 said is the last of it.

    Its black box goes: it stands for a machine that has lost both. Its worker must have ended: from
    then on none is written.

    The index stays, and finds what is left. What backends have acknowledged stays acknowledged:
    nobody ships the rest again.

    Raises `DrillStopped` where there is no such record.
    """
    directory, end = _after_the_cut(settings.spool_dir, str(task_id))
    black_box_of(settings.outputs_dir, task_id).unlink(missing_ok=True)
    for number, path in journal_files(directory).items():
        if number == end.file:
            os.truncate(path, end.offset)
        elif number > end.file:
            path.unlink()
    shipped = read_shipped(directory)
    size = journal_bytes(directory)
    settled = dict.fromkeys({*shipped.settled, *shipped.marks}, size)
    write_shipped(directory, Shipped(marks=shipped.marks, settled=settled))


def _after_the_cut(spool: Path, task_id: str) -> tuple[Path, Position]:
    for directory in process_directories(spool):
        reader = JournalReader(directory)
        entries = [one for one in read_index(directory) if one.task_id == task_id]
        if reader.facts.role != "task" or not entries:
            continue
        for record in reader.read(start=entries[-1].first, stop=entries[-1].last):
            if record.kind is Kind.LOG and record.body.message.startswith(CUT_AFTER):
                return directory, record.end
    raise DrillStopped(f"the journals have no {CUT_AFTER}32] of task {task_id} to be cut after")


def _failed_segment(settings: Settings, orchestrator: UUID) -> UUID:
    """Find the segment that failed by itself; the others failed because of it."""
    with closing(LocalStore(settings.queue_path)) as store:
        children = store.list_tasks(parent_id=orchestrator, limit=SEGMENTS + 1)
        own = [
            one.id
            for one in children
            if one.task_type == SEGMENT and (one.error or {}).get("kind") == "exception"
        ]
    if not own:
        raise DrillStopped(f"no segment of the journey {orchestrator} failed by an exception")
    return own[0]
