"""How the results of drills are shown in a terminal."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.drill.arrival import ACKNOWLEDGED, ARRIVED, JAEGER, OTLP, REFUSED, SENTRY, TELEMETRY
from worker.drill.checks import LINE, LOCALS, SETTLED, SPANS, Check
from worker.drill.results import Result, all_right
from worker.wording import clock

_STYLES: Final = {"right": "green", "WRONG": "bold red", "skipped": "yellow"}
_NONE: Final = "-"
_SHORT_ID: Final = 8


def of_faults(summaries: Mapping[str, str]) -> Table:
    """List the faults, a line each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for fault, summary in summaries.items():
        table.add_row(fault, summary)
    return table


def of_one(result: Result, folder: Path) -> Group:
    """Show one drill: each thing that was planted, and what was found of it."""
    return Group(_heading(result), *_body(result), _closing([result], folder))


def of_all(results: Sequence[Result], folder: Path) -> Group:
    """Show many drills: what is wrong in full, then a line for each."""
    wrong = [result for result in results if not result.right and not result.skipped]
    detailed: list[RenderableType] = []
    for result in wrong:
        detailed += [_heading(result), *_body(result), Text()]
    notes = list(_notes(results))
    after = [Text(), *notes] if notes else []
    return Group(*detailed, _summary(results), *after, _closing(results, folder))


def _heading(result: Result) -> Text:
    text = Text("Drill ", style="bold")
    text.append(result.fault)
    text.append(f": {result.verdict}", style=_STYLES[result.verdict])
    details = ["simulated: there is no CUDA here"] if result.simulated else []
    details += [f"task {task[:_SHORT_ID]}" for task in result.tasks]
    text.append(f"  {', '.join(details)}" if details else "", style="not bold dim")
    return text


def _body(result: Result) -> Iterator[RenderableType]:
    if result.skipped:
        yield Text(f"  {result.skipped}")
    for part in dict.fromkeys(check.part for check in result.checks):
        if part:
            yield Text(f"\n{part}", style="bold")
        yield _checks([check for check in result.checks if check.part == part])


def _checks(checks: Sequence[Check]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("planted", overflow="fold")
    table.add_column("found", overflow="fold")
    table.add_column("ok", no_wrap=True)
    for check in checks:
        mark = Text("yes", style="green") if check.ok else Text("NO", style="bold red")
        table.add_row(f"  {check.name}", Text(check.planted), Text(check.found), mark)
    return table


def _summary(results: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("fault", no_wrap=True)
    for heading in ("line", "locals", "spans", "OTLP", "Sentry"):
        table.add_column(heading, overflow="fold")
    table.add_column("settled", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for result in results:
        after = "" if result.settled_s is None else clock(max(0.0, result.settled_s))
        table.add_row(
            result.fault,
            _line_cell(result),
            _cell(result.named(LOCALS), "seen"),
            _cell(result.named(SPANS), "whole"),
            _arrival_cell(result, (REFUSED, OTLP, JAEGER)),
            _arrival_cell(result, (SENTRY,)),
            Text(after or _NONE, style=_shade(result.named(SETTLED))),
            Text(result.verdict, style=_STYLES[result.verdict]),
        )
    return table


def _line_cell(result: Result) -> Text:
    """Show the line that was found, in one word, and how exactly it is known."""
    found = result.named(LINE)
    if not found:
        return Text(_NONE)
    return Text(found[0].found.partition(" in ")[0], style=_shade(found))


def _cell(checks: Sequence[Check], good: str) -> Text:
    if not checks:
        return Text(_NONE)
    return Text(good if all(check.ok for check in checks) else "NO", style=_shade(checks))


def _arrival_cell(result: Result, names: Sequence[str]) -> Text:
    """Show how far the telemetry of one kind is known to have come."""
    checks = [check for check in result.checks if check.name in names]
    if not all(check.ok for check in checks):
        return Text("NO", style=_shade(checks))
    known = (word for word in (ARRIVED, ACKNOWLEDGED) for check in checks if word in check.found)
    return Text(next(known, _NONE))


def _shade(checks: Sequence[Check]) -> str:
    return "" if all(check.ok for check in checks) else "bold red"


def _notes(results: Sequence[Result]) -> Iterator[Text]:
    for result in results:
        if result.skipped:
            yield Text(f"{result.fault} was skipped: {result.skipped}", style="yellow")
    simulated = [result.fault for result in results if result.simulated]
    if simulated:
        yield Text(f"simulated, there is no CUDA here: {', '.join(simulated)}", style="dim")
    if any(result.named(TELEMETRY) for result in results):
        yield Text("no OTLP endpoint and no Sentry DSN is set: telemetry stays here", style="dim")


def _closing(results: Sequence[Result], folder: Path) -> Text:
    loop26 = f"loop26 --home {shlex.quote(str(folder))}"
    seconds = clock(sum(result.took_s for result in results))
    text = Text()
    if len(results) > 1:
        good = sum(result.right for result in results)
        skipped = sum(bool(result.skipped) for result in results)
        said = f"\n{good} of {len(results)} right"
        said += f", {skipped} skipped" if skipped else ""
        text.append(f"{said}, in {seconds}", "green" if all_right(results) else "bold red")
    for result in results if len(results) == 1 else []:
        for task in result.tasks:
            text.append(f"\n  {loop26} investigate {task[:_SHORT_ID]}")
    if len(results) > 1:
        text.append(f"\n  {loop26} failures", style="not bold")
        text.append("  # all of them, by what they have in common", style="not bold dim")
    return text
