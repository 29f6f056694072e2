"""How a replay is shown to people: the verdict first, then what differs, then with what it ran."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from telemetry.reports.company import DifferenceFound
from telemetry.reports.places import place_text
from telemetry.reports.wording import duration, one_line, printable, value_text
from worker.replay import verdict as verdicts
from worker.replay.verdict import FailureSeen, Replayed

_STYLES = {
    verdicts.SAME: "bold green",
    verdicts.ANOTHER: "bold yellow",
    verdicts.NONE: "bold yellow",
    verdicts.UNKNOWN: "bold red",
}
_LONGEST_MESSAGE = 600
_LONGEST_VALUE = 200


def page_of(found: Replayed) -> RenderableType:
    """Return everything that there is to say of a replay."""
    return Group(*_parts(found))


def _parts(found: Replayed) -> Iterator[RenderableType]:
    style = "bold green" if found.as_recorded else _STYLES[found.verdict]
    of = f"task {found.task} ({found.type}, attempt {found.attempt})"
    yield Text.assemble((found.verdict, style), f": {one_line(of)}")
    if found.asked != found.task:
        yield Text(f"asked for {one_line(found.asked)}, which fell with it", style="dim")
    yield Text()
    yield from _failures(found)
    if found.means:
        yield Text(f"{found.means[:1].upper()}{printable(found.means[1:])}.")
        yield Text()
    if found.differences:
        yield _beside(found.differences)
        yield Text()
    yield from _listed("missing", found.missing, "red")
    yield from _listed("not as it was then", found.altered, "yellow")
    yield _facts(found)


def _failures(found: Replayed) -> Iterator[RenderableType]:
    then, now = found.recorded, found.replayed
    if found.verdict == verdicts.UNKNOWN or now is None:
        yield Text(f"{found.says[:1].upper()}{printable(found.says[1:])}.")
        yield Text()
    if found.verdict == verdicts.SAME and now is not None:
        yield from _failure("then and now" if then == now else _when(found, then, now), now)
        return
    if then is not None:
        yield from _failure("then", then)
    if now is not None:
        yield from _failure("now", now)


def _when(found: Replayed, then: FailureSeen | None, now: FailureSeen) -> str:
    """Say of the same failure where it showed, where CUDA's calls waited: it may be another line.

    Without that the line is where somebody waited for the GPU next; it moves with the code.
    """
    same = verdicts.same_line(then, now) if then and found.blocking == verdicts.WAITED else None
    if same is None:
        return "now"
    return f"now, at {'the same' if same else 'another'} line with CUDA's calls waiting"


def _failure(when: str, failure: FailureSeen) -> Iterator[RenderableType]:
    said = f"{failure.type}: {failure.message}" if failure.message else failure.type
    yield Text.assemble((f"{when}: ", "dim"), (one_line(said, _LONGEST_MESSAGE), "red"))
    if place := place_text(failure.location, failure.place, failure.own):
        stage = f", stage {failure.stage}" if failure.stage else ""
        yield Text(f"  {one_line(f'{place}{stage}')}", style="bold")
    if failure.expression:
        yield Text(f"  {one_line(failure.expression)} was None")
    if failure.behind:
        yield Text(f"  {one_line(failure.behind)}", style="bold")
    if failure.fingerprint:
        yield Text(f"  fingerprint {one_line(failure.fingerprint)}", style="dim")
    yield Text()


def _beside(differences: Sequence[DifferenceFound]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what differs", "then", "now"):
        table.add_column(heading, overflow="fold")
    for one in differences:
        then, now = (value_text(value, _LONGEST_VALUE) for value in (one.this, one.other))
        table.add_row(Text(one.name), Text(then), Text(now))
    return table


def _listed(heading: str, lines: Sequence[str], style: str) -> Iterator[RenderableType]:
    if lines:
        yield Text(heading, style=f"bold {style}")
        for line in lines:
            yield Text(f"  {one_line(line)}")
        yield Text()


def _facts(found: Replayed) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, said in _told(found):
        table.add_row(Text(name), Text(one_line(said)))
    return table


def _told(found: Replayed) -> Iterator[tuple[str, str]]:
    then = ""
    if found.seconds_then is not None:
        then = f", {duration(found.seconds_then * 1000)} then"
    if found.device:
        took = f"{duration(found.seconds * 1000)}{then}"
        yield "ran", f"{took}; {found.engine} on {found.device}, offline"
    if found.record:
        yield "record", found.record
    if found.blocking:
        yield "blocking", found.blocking
    yield "parameters", f"from {found.params_from}"
    yield "defaults", found.defaults.says
    if found.inputs:
        here = [one for one in found.inputs if not one.why_not]
        yield "inputs", f"{len(here)} of {len(found.inputs)} are here"
    if found.kept:
        yield "kept", found.kept
