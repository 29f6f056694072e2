"""`loop26 replay`: a recorded task again, in a fresh process, to the same failure or not."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, JsonOption, Session, session_of

if TYPE_CHECKING:
    from telemetry.reports.case import Case
    from worker.messages import Progress
    from worker.replay.again import Setup
    from worker.replay.claims import Claimed
    from worker.replay.inputs import Surroundings
    from worker.settings import Settings

EXIT_OTHERWISE = 1


class Hint(StrEnum):
    """Kept short here: what the options are called in `--help`."""

    TASK = "A task's id or as much of its beginning as is unique; or a black box (FILE)."
    PDB = "Stop in the debugger at the line that fails."
    BLOCKING = "Have CUDA's calls wait, so that their errors show at their line."
    TIMEOUT = "Seconds without progress that are a hang. Default: as recorded, or as set."
    KEEP = "Keep the replay's folder: its journal, its output, its video."


def replay(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=Hint.TASK)],
    stop: Annotated[bool, typer.Option("--pdb", help=Hint.PDB)] = False,
    blocking: Annotated[bool, typer.Option("--blocking", help=Hint.BLOCKING)] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", min=0, help=Hint.TIMEOUT)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help=Hint.KEEP)] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Run a recorded task again, offline, in a fresh process, and compare how it ends.

    It gets the parameters and the model's defaults as they were recorded, and
    inputs from the cache; what is missing or altered is named. The queue and the
    outputs are not touched; what is kept is the answer, for the next
    `loop26 investigate`.

    [bold]Exit codes[/]

      0  it ended as recorded: in the same failure, or well where it went well
      1  it did not, or cannot be replayed
      2  the command line is wrong

    [bold]Examples[/]

      loop26 replay 3f2a
      loop26 replay 3f2a --pdb
      loop26 replay 3f2a --blocking
      loop26 replay outputs/3f2a.../failure.blackbox --json
    """
    if stop and as_json:
        raise typer.BadParameter("--pdb is for people, --json for programs: give one of them")
    from worker.replay.replaying import replay as replayed
    from worker.replay.subject import subject_of
    from worker.replay.watch import limit_told

    session = session_of(context, home)
    case, queued = _case(session, task)
    settings = session.settings()
    subject = subject_of(case)
    timeout_s = limit_told(subject.failure) if timeout is None else timeout
    setup = _setup(settings, subject.engine, blocking=blocking, timeout_s=timeout_s)
    setup = replace(setup, stop=stop, keep=keep)
    claimed = _claimed(session, case, queued=queued)
    with _ended_by_signals(), _progress(stop=stop) as show:
        found = replayed(subject, claimed, setup, _surroundings(settings), show=show)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    else:
        from worker.cli.paper import paper
        from worker.cli.replay_view import page_of

        paper(report=True).print(page_of(found))
    if found.forgotten:
        typer.echo(f"loop26: {found.forgotten}", err=True)
    raise typer.Exit(0 if found.as_recorded else EXIT_OTHERWISE)


def _case(session: Session, task: str) -> "tuple[Case, bool]":
    """Gather the case; whether it is of the queue."""
    from worker.cli.cases import case_of, is_black_box

    return case_of(session, task), not is_black_box(task)


def _claimed(session: Session, case: "Case", *, queued: bool) -> "Claimed":
    from uuid import UUID

    from telemetry.reports.attempt import Attempt
    from worker.replay.claims import claimed_of_queue, claimed_of_record

    if queued:
        with session.store() as store:
            return claimed_of_queue(store, UUID(case.task.id))
    begin = Attempt(case.model, case.task).begin if case.model else None
    return claimed_of_record(case, begin)


def _setup(
    settings: "Settings", engine: str, *, blocking: bool, timeout_s: float | None
) -> "Setup":
    """Say how to replay what an engine has done; "" leaves the engine to the settings."""
    from worker.composition import configure
    from worker.replay.again import Setup
    from worker.replay.watch import Limits
    from worker.task_program import task_program

    limits = settings.hang_after_s
    if timeout_s is not None:
        limits = dict.fromkeys(limits, timeout_s)
    configured = configure(settings, "replay", engine)
    return Setup(
        home=settings.home,
        configure=configured,
        program=task_program(settings, configured.engine, tell=_tell),
        limits=Limits(start_s=settings.child_start_timeout_s, hang_after_s=limits),
        blocking=blocking,
    )


def _tell(said: str) -> None:
    typer.echo(f"loop26: {said}", err=True)


def _surroundings(settings: "Settings") -> "Surroundings":
    from worker.replay.inputs import Surroundings
    from worker.settings.limits import input_policy
    from worker.settings.models import models_of, unknown_keys_of

    return Surroundings(
        models=lambda: models_of(settings),
        policy=input_policy(settings),
        unknown_params=unknown_keys_of(settings),
    )


@contextmanager
def _progress(*, stop: bool) -> "Iterator[Callable[[Progress], None]]":
    """Show on a terminal how far the replay is; what it prints in the end goes elsewhere."""
    from rich.console import Console

    paper = Console(stderr=True)
    if stop:
        typer.echo("a fresh process starts, and stops where the task fails", err=True)
    if stop or not paper.is_terminal:
        yield lambda _: None
        return
    with paper.status("a fresh process starts") as status:

        def show(progress: "Progress") -> None:
            step = f" {progress.step}/{progress.steps}" if progress.steps else ""
            status.update(f"replaying: {progress.stage}{step}")

        yield show


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have the signals that end this process end the replay first, with all that it has begun."""

    def leave(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)  # as a shell tells of a signal

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
