"""Black boxes of other machines, fetched from the bucket that outputs go to."""

import contextlib
import hashlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from telemetry.errors import BlackBoxError
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.sources import blackbox
from worker.casework.fetched_copies import FOLDER, copy_at, keep_copy
from worker.casework.kept_records import NOTHING_KEPT, Kept, claim_of, has_record, is_of, lacks
from worker.errors import WorkerError
from worker.output.bucket import Content, ObjectMissing, StorageUnavailable
from worker.output.place import Place, parse_place
from worker.output.storage import BLACK_BOX, black_box_name
from worker.settings import Settings
from worker.settings.storing import open_reader
from worker.store.base import Event

WAIT_S: Final = 4.0  # a report is read by people
_NOT_TOLD: Final = (
    "cannot be fetched: this machine is not told where outputs go; set LOOP26_STORAGE and its key "
    "as on the workers"
)


class FetchedBoxes:
    """Fetches the black boxes of attempts that this machine has no record of.

    What came is kept in the home, and asked for again each time: a copy that is still as the
    bucket has it is not sent again. Whatever the bucket or the network does, that takes no more
    than so many seconds, and raises nothing.

    Args:
        settings: Say where outputs go, with what key they are read, and whether at all.
        wait_s: For how long the bucket is asked, all in all.
    """

    def __init__(self, settings: Settings, *, wait_s: float) -> None:
        self._settings = settings
        self._wait_s = wait_s
        self._until: float | None = None  # from the first question on

    def __call__(self, row: TaskRow, history: Sequence[Event]) -> Kept:
        """Fetch the black box of the attempt that a row tells of, or say why there is none."""
        claim = claim_of(history)
        if not claim:
            return NOTHING_KEPT  # it was never claimed: nobody has recorded it
        if self._settings.storage is None:
            wanted = self._settings.fetch_black_boxes and self._settings.supabase_url is not None
            return _none(row, _NOT_TOLD) if wanted else NOTHING_KEPT
        place = parse_place(self._settings.storage)
        name = black_box_name(claim)
        path = self._settings.home / FOLDER / _copy_name(row, name)
        copy = copy_at(path)
        if self._settings.fetch_black_boxes:
            copy, trouble = self._renewed(row, place, place.key(row.id, name), path, copy)
        else:
            trouble = "fetch_black_boxes is false"
        return _told(row, f"{place}/{row.id}/", path, copy, trouble)

    def _renewed(
        self, row: TaskRow, place: Place, key: str, path: Path, copy: Case | None
    ) -> tuple[Case | None, str]:
        """Return the black box as the bucket has it, or the copy and why it is no newer one."""
        try:
            found = self._newer(place, key, path, copy)
            if found is None:
                return copy, "" if copy else f"{place} says that it is as it was, and none is here"
            return keep_copy(found, path, partial(is_of, row)), ""
        except ObjectMissing as error:
            trouble = f"{error}; its worker keeps none (black_boxes), or has not sent it yet"
        except BlackBoxError as error:
            problem = str(error).removeprefix(f"black box {str(error.path)!r} ")
            trouble = f"what {place} has under its name {problem}"
        except (WorkerError, OSError) as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a server answers, there is a report
            trouble = f"{place} could not be asked: {type(error).__name__}"
        return copy, trouble

    def _newer(self, place: Place, key: str, path: Path, copy: Case | None) -> bytes | None:
        """Return what the bucket has; None where that is the same as the copy."""
        known = Content.of(path).likely_etag if copy else ""
        if self._until is None:
            self._until = time.monotonic() + self._wait_s
        wait_s = max(0.01, self._until - time.monotonic())

        def ask() -> bytes | None:
            with contextlib.closing(open_reader(self._settings, place, answer_s=wait_s)) as reader:
                return reader.read(key, blackbox.MOST_FILE_BYTES, known)

        return _within(wait_s, ask, f"{place} gave no answer within {self._wait_s:g} s")


def _within(seconds: float, ask: Callable[[], bytes | None], late: str) -> bytes | None:
    """Return what is answered in time; neither names, connections nor drops of an answer add up.

    Raises what `ask` does, and `StorageUnavailable`.
    """
    answers: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # noqa: BLE001 - it is raised by who waits
            answers.put(error)

    threading.Thread(target=run, name="black box fetched", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise StorageUnavailable(late) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _told(row: TaskRow, place: str, path: Path, copy: Case | None, trouble: str) -> Kept:
    """Say where a black box came from, and what is not known of it."""
    if copy is None:
        return _none(row, f"cannot be fetched: {trouble}")
    if not is_of(row, copy):
        return _none(row, f"is not in {place}: what has its name there is of another")
    if not has_record(copy):
        return _none(row, f"in {place} has no record either")
    where = f"the black box fetched from {place} to {path}"
    if not trouble:
        return Kept(box=copy, where=where, lacks=lacks(copy))
    old = f"The black box is a copy that was fetched before, and may be old: {trouble}"
    return Kept(box=copy, where=where, lacks=[*lacks(copy), old])


def _none(row: TaskRow, why: str) -> Kept:
    way_out = f"If its worker's home has outputs/{row.id}/{BLACK_BOX}, copy that and investigate it"
    return Kept(lacks=[f"The black box of this attempt {why}. {way_out}."])


def _copy_name(row: TaskRow, name: str) -> str:
    """Name a copy: reports tell where it lies, and so must not tell its name in the bucket."""
    return f"{row.id}-{hashlib.sha256(name.encode()).hexdigest()[:8]}{blackbox.SUFFIX}"
