"""A command line in a home that is not there yet, and what it did."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.shared_home import Fleet, fleet_on
from worker.cli import exit_code_of
from worker.cli.session import Session
from worker.store.local import LocalStore

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

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


@pytest.fixture(scope="session")
def fleet(supabase_server: "Supabase", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A shared queue that the commands' tests have for themselves."""
    with fleet_on(supabase_server, tmp_path_factory.mktemp("fleet"), "of_commands") as fleet:
        yield fleet


@pytest.fixture
def operator(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """The same, with the settings of an operator in the environment."""
    monkeypatch.setenv("SUPABASE_URL", fleet.url)
    monkeypatch.setenv("LOOP26_SUPABASE_REST_URL", fleet.url)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", fleet.server.key("service_role"))
    return fleet
