"""What the tests of the contract are given: in our interpreter, and in a checkout's.

A test takes `driven` and is run for each engine; marked `needs`, for those that promise that.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from telemetry import Recorder
from telemetry.journal import JournalReader
from telemetry.spans import Folder, Span
from tests.worker.engines.contract.driven import Driven
from tests.worker.engines.contract.subjects import Subject

SUBJECTS: Final = pytest.StashKey[Sequence[Subject]]()
Spans = Callable[[], list[Span]]


def choose(config: pytest.Config, subjects: Sequence[Subject]) -> None:
    """Have the tests be run for these engines."""
    config.stash[SUBJECTS] = subjects
    config.addinivalue_line("markers", "needs(promise): run for the engines that promise this")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each engine that promises what it needs; there must be one."""
    if "driven" not in metafunc.fixturenames:
        return
    needed = {mark.args[0] for mark in metafunc.definition.iter_markers("needs")}
    chosen = [one for one in metafunc.config.stash[SUBJECTS] if needed <= one.promises]
    if not chosen:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} needs {', '.join(sorted(needed))}")
    metafunc.parametrize("driven", chosen, ids=str, indirect=True)


@pytest.fixture(scope="session")
def engines() -> dict[str, Driven]:
    """Give those that there are so far, by name: whatever the order of tests, each is made once."""
    return {}


@pytest.fixture
def driven(
    request: pytest.FixtureRequest,
    engines: dict[str, Driven],
    tmp_path_factory: pytest.TempPathFactory,
) -> Driven:
    """Give an engine that has generated once."""
    subject: Subject = request.param
    if subject.name not in engines:
        engines[subject.name] = Driven(subject, tmp_path_factory.mktemp(subject.name))
    return engines[subject.name]


@pytest.fixture
def spans(driven: Driven, tmp_path: Path) -> Iterator[Spans]:
    """Record from here on; call what is given for the spans that have ended, in that order."""
    del driven  # it has made its first video before
    level = logging.getLogger().level
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()

    def ended() -> list[Span]:
        folder = Folder()
        read = JournalReader(recorder.writer.directory).read()
        return [span for record in read for span in folder.feed(record)]

    yield ended
    recorder.close()
    logging.getLogger().setLevel(level)
    assert recorder.faults == 0
