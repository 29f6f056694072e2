"""A recorder that is this process's, and what it has written."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from telemetry.journal import JournalReader, JournalRecord
from telemetry.recorder import Recorder
from telemetry.recorder.hidden_prompts import show_again
from telemetry.recorder.scopes import TaskScope
from telemetry.records import Kind
from telemetry.spans import Folder, Span

TRACE = b"t" * 16


class Recording:
    """An installed recorder, and what its journal holds at this moment."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def records(self) -> list[JournalRecord]:
        """Return every record."""
        return list(JournalReader(self.recorder.writer.directory).read())

    def bodies(self, kind: Kind) -> list[Any]:
        """Return the bodies of the records of one kind."""
        return [record.body for record in self.records() if record.kind is kind]

    def spans(self) -> dict[str, Span]:
        """Return the spans that have ended, by name."""
        folder = Folder()
        return {span.name: span for record in self.records() for span in folder.feed(record)}

    def text(self) -> str:
        """Return all that the journal's files hold."""
        files = self.recorder.writer.directory.glob("*.journal")
        return "".join(path.read_bytes().decode("utf-8", "replace") for path in files)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """Install a recorder; logging is as it was afterwards."""
    level = logging.getLogger().level
    recorder = Recorder.open(tmp_path / "spool", role="task", in_app=(__package__ or "tests",))
    recorder.install()
    yield Recording(recorder)
    recorder.close()
    logging.getLogger().setLevel(level)


def running(recording: Recording, task_id: str = "e040ae48") -> AbstractContextManager[TaskScope]:
    """Begin a task."""
    return recording.recorder.task(
        task_id=task_id, attempt=1, task_type="t2v", trace_id=TRACE, worker_id="w"
    )


@pytest.fixture
def task(recording: Recording) -> Iterator[Recording]:
    """Run the test inside a task."""
    with running(recording):
        yield recording


@pytest.fixture(autouse=True)
def _prompts_shown_again() -> Iterator[None]:
    """Leave no prompt of a test hidden in the next."""
    yield
    show_again()
