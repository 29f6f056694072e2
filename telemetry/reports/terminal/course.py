"""How far an attempt got, where its time went, its parameters and its record, for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from telemetry.reports.company import AttemptFound
from telemetry.reports.findings import CompletenessFound, Investigation, ParamFound
from telemetry.reports.headway import IterationFound, StageFound
from telemetry.reports.sentences import (
    asked_text,
    counted,
    counts_text,
    ended_text,
    has_run,
    loop_text,
    steps_text,
    used_text,
)
from telemetry.reports.terminal import blocks
from telemetry.reports.wording import duration, one_line

_LONGEST_CELL: Final = 48
_LONGEST_ALL: Final = 4000
_BAR_COLUMNS: Final = 24
_MOST_GAPS: Final = 6
_MOST_ATTEMPTS: Final = 6
_MOST_STAGES: Final = 24
_MOST_PARAMS: Final = 400
_ENDED_STYLES: Final = {"failed": "red", "cut off": "red", "open": "yellow", "unknown": "yellow"}


def how_far(found: Investigation, *, everything: bool = False) -> Group:
    """Show the stages in their order, the loop, the steps; `everything` adds the records around."""
    drawn: list[RenderableType] = []
    if found.stages:
        shown, more = blocks.first(found.stages, _MOST_STAGES, "stages", everything=everything)
        rows = [(one.name, one.began, _took(one.ms), _ended(one, found)) for one in shown]
        drawn += [blocks.table(rows, ("stage", "began", "took", "ended")), *more]
    else:
        drawn.append(blocks.said(_no_stage(found)))
    drawn += _loop_and_steps(found)
    if everything and found.timeline.around:
        said = "the records around the failure, ms from it:"
        if found.timeline.failed_ms is None:
            said = "the last records that arrived, ms from the last:"
        drawn.append(blocks.said(said, "dim"))
        moments = [
            (f"{one.offset_ms:+.3f}", one.kind, Text(one.text)) for one in found.timeline.around
        ]
        drawn.append(blocks.table(moments, whole=True))
    return blocks.section("How far it got", drawn)


def where_time_went(found: Investigation) -> Group:
    """Show the stages, the longest first, each with its part of the whole."""
    drawn: list[RenderableType] = [_bars(found)] if found.stages else []
    if not found.stages:
        drawn.append(blocks.said(_no_stage(found)))
    drawn += _loop_and_steps(found)
    at_work = any(one.ended == "open" for one in found.stages)
    return blocks.section("Where the time went", drawn, "so far" if at_work else "")


def parameters(found: Investigation, *, everything: bool = False) -> Group:
    """Show every parameter in the order of the loop: what was used and asked, and who said so."""
    if not found.params:
        return blocks.section("Parameters", [blocks.said("none is in the record")])
    longest = _LONGEST_ALL if everything else _LONGEST_CELL
    shown, more = blocks.first(found.params, _MOST_PARAMS, "parameters", everything=everything)
    rows = [_param(one, found, longest) for one in shown]
    titles = ("name", "used", "asked", "layer")
    drawn: list[RenderableType] = [blocks.table(rows, titles, whole=everything), *more]
    if (missing := found.loop.total - len(found.params)) > 0:
        verb = "is" if missing == 1 else "are"
        said = f"{counted(missing, 'parameter')} of the loop {verb} not in the record"
        drawn.append(blocks.said(said, "yellow"))
    model = f"of {one_line(found.model.name, 48)}, " if found.model.name else ""
    return blocks.section("Every parameter", drawn, f"{model}in the loop's order")


def attempts(found: Sequence[AttemptFound], *, everything: bool = False) -> Group:
    """Show how each attempt ended, the newest first."""
    drawn: list[RenderableType] = []
    shown, more = blocks.first(found, _MOST_ATTEMPTS, "attempts", everything=everything)
    for one in shown:
        drawn.append(blocks.said(f"attempt {one.attempt} {one.says}"))
        drawn.append(
            blocks.said(f"{one_line(one.when, 40)} on {one_line(one.worker, 60)}", "dim", 4)
        )
    return blocks.section("Attempts", drawn + more)


def record(completeness: CompletenessFound, *, everything: bool = False) -> Group:
    """Show what the record holds and lacks, in numbers."""
    style = "" if completeness.complete else "bold yellow"
    drawn: list[RenderableType] = [
        blocks.said(completeness.says, style),
        blocks.said(counts_text(completeness)),
        blocks.said(f"from {completeness.source}"),
    ]
    gaps, more = blocks.first(completeness.gaps, _MOST_GAPS, "gaps", everything=everything)
    drawn += [
        blocks.said(
            f"missing: records {one.first:,} to {one.last:,} of {one_line(one.process, 60)}",
            "yellow",
        )
        for one in gaps
    ]
    unknown, others = blocks.first(
        completeness.unknown, _MOST_GAPS, "things that it cannot know", everything=everything
    )
    drawn += [*more, *(blocks.said(f"not known from there: {one}") for one in unknown), *others]
    return blocks.section("The record", drawn)


def _no_stage(found: Investigation) -> str:
    return "no stage is in the record" if has_run(found) else "it has not run"


def _loop_and_steps(found: Investigation) -> Iterator[RenderableType]:
    if not has_run(found):
        return
    yield blocks.said(loop_text(found))
    last, slowest = found.loop.last, found.loop.slowest
    word = "last" if found.completeness.complete else "last that arrived"
    if last:
        yield blocks.said(f"{word}: {_iteration(last)} at {one_line(last.ended, 40)}", indent=4)
    if slowest:
        yield blocks.said(f"slowest: {_iteration(slowest)} took {duration(slowest.ms)}", indent=4)
    yield blocks.said(steps_text(found))
    if times := found.steps.ms:
        slow = max(range(len(times)), key=times.__getitem__)
        average = duration(sum(times) / len(times))
        said = f"{average} a step; slowest: {slow + 1}, took {duration(times[slow])}"
        yield blocks.said(said, indent=4)


def _iteration(one: IterationFound) -> str:
    return f"{one.index}, {one_line(one.key, 60)}"


def _bars(found: Investigation) -> RenderableType:
    total = sum(one.ms or 0.0 for one in found.stages)
    rows = []
    for one in sorted(found.stages, key=lambda one: -(one.ms or 0.0))[:_MOST_STAGES]:
        part = (one.ms or 0.0) / total if total else 0.0
        bar = Text("█" * round(part * _BAR_COLUMNS), style="cyan")
        rows.append((one.name, _took(one.ms), f"{part:.0%}", bar, _ended(one, found)))
    return blocks.table(rows, ("stage", "took", "part", "", "ended"))


def _took(ms: float | None) -> str:
    return "…" if ms is None else duration(ms)


def _ended(stage: StageFound, found: Investigation) -> Text:
    return Text(ended_text(stage, found), style=_ENDED_STYLES.get(stage.ended, ""))


def _param(one: ParamFound, found: Investigation, longest: int) -> tuple[Text, ...]:
    """Write a parameter's row; one that nobody asked for is quiet."""
    used, asked = used_text(one, found, longest), asked_text(one, longest)
    texts = (one.name, used, "as used" if asked == used else asked, one_line(one.source, 24))
    style = "" if asked else "dim"
    return tuple(Text(text, style=style) for text in texts)
