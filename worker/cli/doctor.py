"""`loop26 doctor`: what is wrong here, and what to do about it."""

from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, JsonOption, Session, session_of
from worker.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from worker.doctor.finding import Finding

EXIT_UNWELL = 1
_MOST_IDS = 5
_INDENT = 8  # under what was found, beside the verdict


def doctor(context: typer.Context, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Look at the engine and the queue: what is wrong here, and what to do about it.

    Of the engine it looks at packages; of a checkout of Wan2GP (engine=wan2gp) at
    the checkout, its configuration, interpreter, packages, GPU, API and models.
    Nothing of it is run but its torch, which is asked for the GPU.

    Of the queue it looks at tasks that nobody will ever finish, clocks, and of a
    shared one at schema, row security, grants, indexes and functions. With
    SUPABASE_SECRET_KEY it sees all of that, with a worker's token whether the
    worker is let in.

    Exit code 0 if nothing is wrong, 1 if anything is; warnings are not wrong.

    [bold]Examples[/]

      loop26 doctor
      loop26 doctor --json
    """
    from worker.doctor.engine import examine_engine
    from worker.doctor.finding import Verdict

    session = session_of(context, home)
    settings = session.configuration().settings
    found = []
    for each in chain(examine_engine(settings), _queue(session)):
        found.append(each)
        if not as_json:
            _print(each)  # at once: the next may take its time
    if as_json:
        print_json([asdict(each) for each in found])
    raise typer.Exit(EXIT_UNWELL if any(each.verdict is Verdict.ERROR for each in found) else 0)


def _queue(session: Session) -> "Iterator[Finding]":
    """Yield how the queue is; one that cannot be opened is a finding like the others."""
    from worker.doctor.finding import Finding, Verdict
    from worker.doctor.queue import examine_queue

    try:
        with session.store() as store:
            yield from examine_queue(store)
    except WorkerError as trouble:
        yield Finding(name="queue", verdict=Verdict.ERROR, found=str(trouble))


def _print(finding: "Finding") -> None:
    from rich.padding import Padding
    from rich.text import Text

    from telemetry.reports.wording import one_line
    from worker.cli.paper import paper

    styles = {"ok": "green", "warning": "yellow", "error": "bold red"}
    line = Text.assemble(
        (f"{finding.verdict.value:8}", styles[finding.verdict.value]),
        (f"{finding.name}: ", "bold"),
        one_line(finding.found),  # it may hold what a stranger has named
    )
    console = paper()
    # A pipe gets a line for each thing that is said, however long.
    console.print(line, soft_wrap=not console.is_terminal)
    for text in _below(finding):
        if console.is_terminal:
            console.print(Padding(text, (0, 0, 0, _INDENT), expand=False))
        else:
            console.print(Text(" " * _INDENT) + text, soft_wrap=True)


def _below(finding: "Finding") -> "Iterator[Text]":
    """Yield what stands under a finding that is not well: its tasks, and what to do."""
    from rich.text import Text

    if not finding.advice:
        return
    if finding.ids:
        told = " ".join(finding.ids[:_MOST_IDS])
        rest = len(finding.ids) - _MOST_IDS
        told += f" … `loop26 doctor --json` has {rest} more" if rest > 0 else ""
        yield Text(told, style="dim")
    yield Text(finding.advice)
