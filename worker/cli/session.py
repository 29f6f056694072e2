"""What the commands share: the settings as the command line gave them, and what hangs on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.errors import HomeError, SettingsError

if TYPE_CHECKING:
    from telemetry.recorder import Recorder
    from worker.settings import Settings
    from worker.settings.configuration import Configuration
    from worker.store.base import TaskStore

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder of queue, journals, outputs and models. Default: LOOP26_HOME or ~/.loop26.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class NoQueue(HomeError):
    """Raised for a home without a queue by a command that asks one: it makes none."""

    def __init__(self, home: Path) -> None:
        lacks = "has no queue" if home.is_dir() else "is not there"
        super().__init__(
            home, f"{lacks}; `loop26 enqueue FILE` makes a queue, `loop26 demo` shows how"
        )


class Session:
    """One command line: what it said about settings, and what is made of them when asked for."""

    def __init__(self, options: dict[str, object]) -> None:
        self.options = options

    def configuration(self) -> "Configuration":
        """Read and validate the settings."""
        from worker.settings.configuration import load

        return load(self.options)

    def settings(self) -> "Settings":
        """Read the settings, and have the home ready; it is made where there is none."""
        from worker.settings.home import prepare_home

        settings = self.configuration().settings
        prepare_home(settings)
        return settings

    @contextmanager
    def store(self, *, create: bool = False) -> "Iterator[TaskStore]":
        """Open the queue for the length of a `with` block.

        Raises `NoQueue` where there is none, unless it is to be created; `settings` would have
        made the home by then, so ask for the store first.
        """
        from worker.queue import is_shared, open_as_operator

        settings = self.configuration().settings
        if not (create or is_shared(settings) or settings.queue_path.exists()):
            raise NoQueue(settings.home)
        store = open_as_operator(self.settings())
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def recorder(self) -> "Iterator[Recorder]":
        """Journal what this command does, for the length of a `with` block."""
        from telemetry.recorder import Recorder

        settings = self.settings()
        recorder = Recorder.open(
            settings.spool_dir, role="cli", record_prompts=settings.record_prompts
        )
        code = 1
        try:
            yield recorder
            code = 0
        finally:
            recorder.close(exit_code=code)


def session_of(context: typer.Context, home: Path | None) -> Session:
    """Take what stood before the command, and the command's own `--home`, which wins."""
    options: dict[str, object] = dict(context.find_root().obj or {})
    if home is not None:
        options["home"] = home
    return Session(options)


def options_of(home: Path | None, assignments: list[str]) -> dict[str, object]:
    """Read `--home` and the `--set NAME=VALUE` that stood before the command."""
    options: dict[str, object] = {} if home is None else {"home": home}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"--set {assignment!r}: must be NAME=VALUE, as in --set poll_s=0.5")
        options[name.strip()] = value
    return options
