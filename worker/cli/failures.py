"""`loop26 failures`: what fails on this queue, grouped by cause."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.paper import paper, print_json
from worker.cli.session import HomeOption, JsonOption, session_of
from worker.errors import InvalidTask

if TYPE_CHECKING:
    from rich.console import RenderableType

    from telemetry.reports.failures import FailureGroup

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_AGO = timedelta(days=36_500)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # nothing has failed before
_MOST = 10_000
_SHOWN = 6  # tasks, workers and models of a group, without --all


def failures(
    context: typer.Context,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="WHEN", help="Only what has failed since: 30m, 24h, 7d, or a date."
        ),
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Name every task, worker, model.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Group failures by their cause: one entry for one fingerprint, the newest first.

    A fingerprint is made of the exception's type, the innermost function of ours
    and the stage, so one cause is one entry whatever the line number. An entry
    says whether it is new in the release that runs here. Tasks that another
    application set to Failed are an entry of their own.

    [bold]Examples[/]

      loop26 failures
      loop26 failures --since 24h
      loop26 failures --since 2026-02-24 --json
    """
    from telemetry.reports.failures import grouped
    from worker.casework.failed_attempts import failed_attempts
    from worker.composition import release_of

    began = moment_of(since)
    session = session_of(context, home)
    with session.store() as store:
        attempts = failed_attempts(store, limit=_MOST)
    release = release_of(session.settings())
    found = grouped(attempts, release=release, since=began)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    if not found:
        typer.echo(f"nothing has failed{f' since {since}' if since else ''}")
        return
    console = paper(report=True)
    for group in found:
        console.print(*_entry(group, release, every=every), sep="\n")
    if len(attempts) == _MOST:
        typer.echo(f"only the newest {_MOST:,} attempts that failed were looked at")


def moment_of(text: str) -> str:
    """Read a moment, so long ago ("24h") or a date, and write it as the queue does; "" stays.

    Raises `InvalidTask`.
    """
    if not text:
        return ""
    try:
        at = max(_ago(text) or _parsed(text), _EPOCH).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = "is no moment; give 90s, 30m, 24h, 7d, 2w, or a date as in 2026-02-24T14:00"
        raise InvalidTask("--since", text, problem) from error
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _ago(text: str) -> datetime | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip().lower())
    if found is None:
        return None
    ago = timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    return datetime.now(UTC) - min(ago, _LONGEST_AGO)


def _parsed(text: str) -> datetime:
    at = datetime.fromisoformat(text.strip())
    return at if at.tzinfo else at.astimezone()  # of a date alone, the day here


def _entry(group: "FailureGroup", release: str, *, every: bool) -> "list[RenderableType]":
    from rich.text import Text

    from telemetry.reports.places import place_text
    from telemetry.reports.terminal.blocks import styled
    from telemetry.reports.wording import one_line

    told = (group.type, group.message) if group.kind != "death" else (group.message,)
    said = ": ".join(filter(None, told))
    where = place_text(group.location, group.place, group.own) or one_line(group.place)
    facts = [
        where + (f", stage {one_line(group.stage)}" if group.stage else ""),
        _times(group),
        *(
            f"{name} {_some(texts, every=every)}"
            for name, texts in (
                ("models", group.models),
                ("workers", group.workers),
                ("tasks", group.tasks),
            )
            if texts
        ),
    ]
    head = Text(f"{group.count}x ", style="bold").append(
        one_line(said, 300) or "unknown", style="bold red"
    )
    aside = f"fingerprint {group.fingerprint or 'none'}"
    new = {True: f", new in {release}", False: f", seen in {', '.join(group.releases)}", None: ""}
    return [
        head,
        *(styled(Text(fact, overflow="fold")) for fact in facts if fact),
        styled(Text(one_line(aside + new[group.is_new]), style="dim")),
        Text(),
    ]


def _times(group: "FailureGroup") -> str:
    if group.first == group.last:
        return f"at {group.last}" if group.last else ""
    return f"first {group.first}, last {group.last}"


def _some(texts: list[str], *, every: bool) -> str:
    from telemetry.reports.wording import one_line

    shown = [one_line(text, 80) for text in (texts if every else texts[:_SHOWN])]
    left = len(texts) - len(shown)
    return ", ".join(shown) + (f" and {left} more (--all)" if left else "")
