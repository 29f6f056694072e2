"""The journals of a supervisor: one for each task that it may have in hand."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from telemetry.recorder import Recorder
from worker.errors import EXIT_BUG, HomeError, WorkerError
from worker.settings import Settings
from worker.settings.limits import MEGA


@contextmanager
def recording(settings: Settings, worker_id: str) -> Iterator[Recorder]:
    """Record what this process does; an exception that leaves the block is its end.

    Who ends the block in any other way closes the recorder. Raises `HomeError`.
    """
    recorder = _recorder(settings, worker_id)
    recorder.install()
    try:
        yield recorder
    except BaseException as exc:
        recorder.error(exc)
        recorder.close(exit_code=_exit_code(exc))
        raise


@contextmanager
def recording_aside(
    settings: Settings, worker_id: str, *, needed: bool
) -> Iterator[Sequence[Recorder]]:
    """Give another journal where a second task may be in hand; none where it is not needed.

    It is closed as that of `recording` is. Raises `HomeError`.
    """
    recorders = [_recorder(settings, worker_id)] if needed else []
    try:
        yield recorders
    except BaseException as exc:
        for recorder in recorders:
            recorder.close(exit_code=_exit_code(exc))
        raise


def _recorder(settings: Settings, worker_id: str) -> Recorder:
    try:
        return Recorder.open(
            settings.spool_dir,
            role="supervisor",
            facts={"worker_id": worker_id},
            rotate_bytes=int(settings.journal_rotate_mb * MEGA),
            record_prompts=settings.record_prompts,
        )
    except OSError as exc:
        raise HomeError(settings.home, f"no journal can be written: {exc.strerror}") from exc


def _exit_code(exc: BaseException) -> int:
    return exc.exit_code if isinstance(exc, WorkerError) else EXIT_BUG
