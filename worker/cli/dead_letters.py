"""How dead letters look in a terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from telemetry.reports.terminal.blocks import styled
from telemetry.reports.wording import one_line
from worker.cli.paper import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from worker.casework.dead_letters import DeadLetter


def entry_of(letter: "DeadLetter") -> "Iterator[RenderableType]":
    """Draw one: which it is, what failed it and where, how often it was tried, what to do."""
    head = Text(letter.id, style="bold").append(f" {_line(letter.task_type)} ", style="")
    yield head.append(_what(letter), style="bold red")
    for fact in filter(None, (_where(letter), _when(letter))):
        yield styled(Text(fact, overflow="fold"))
    yield styled(Text(letter.advice, style="dim", overflow="fold"))
    yield Text()


def _what(letter: "DeadLetter") -> str:
    told = (letter.type, letter.message) if letter.kind != "death" else (letter.message,)
    return _line(": ".join(filter(None, told)) or letter.sentence or letter.kind)


def _where(letter: "DeadLetter") -> str:
    where = f"{letter.file}:{letter.line} in {letter.function}" if letter.file else ""
    stage = f"stage {letter.stage}" if letter.stage else ""
    at = f"{letter.place} {where}".strip() if where else ""
    if at and letter.own_file:
        at = f"{at}, called at {letter.own_file}:{letter.own_line} in {letter.own_function}"
    return _line(", ".join(filter(None, (letter.kind, at, stage))), 600)


def _when(letter: "DeadLetter") -> str:
    tried = f"{letter.attempts} attempt{'' if letter.attempts == 1 else 's'}"
    died = f", {letter.deaths} of them died" if letter.deaths else ""
    at = letter.failed_at.replace("T", " ")[:19]
    journey = f", of journey {letter.journey}" if letter.journey else ""
    return f"{at + ' UTC, ' if at else ''}after {tried}{died}{journey}"


def _line(text: str, longest: int = 300) -> str:
    return one_line(printable(text), longest)
