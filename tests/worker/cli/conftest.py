"""A command line in a home that is not there yet, and what it did."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from worker.cli import exit_code_of
from worker.cli.session import Session
from worker.store.local import LocalStore

T2V: dict[str, Any] = {"task_type": "t2v", "params": {"model": "tiny_t2v", "prompt": "a lake"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, by lines."""
        return self.out.splitlines()


Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Name a home that is not there yet."""
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in that home."""

    def run(*argv: str) -> Result:
        code = exit_code_of(["--home", str(home), *argv])
        captured = capsys.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def store(home: Path) -> Iterator[LocalStore]:
    """Make the home, and open the queue behind the commands."""
    store = LocalStore(Session({"home": home}).settings().queue_path)
    yield store
    store.close()
