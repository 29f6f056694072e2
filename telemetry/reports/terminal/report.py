"""The report on one task as a terminal shows it: the whole answer on the first screen.

Its order never changes: what failed, where, which value did it, every frame, how far it got, every
parameter, the record, the same failure elsewhere, whom it took down, the last good run, possible
causes, links, replay, next steps. A task that did not fail has what it did instead.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from telemetry.reports.company import DifferenceFound, RelativeFound
from telemetry.reports.findings import FailureFound, HypothesisFound, Investigation
from telemetry.reports.sentences import conclusions, facts, lacks
from telemetry.reports.terminal import blocks
from telemetry.reports.terminal.course import (
    attempts,
    how_far,
    parameters,
    record,
    where_time_went,
)
from telemetry.reports.terminal.failure import stack, where, which_value
from telemetry.reports.wording import one_line, value_text

_IN_PROGRESS: Final = "In Progress"
_MOST: Final = 8  # of what may be many, unless everything is asked for
_MOST_ROWS: Final = 24
_MOST_IDS: Final = 3
_SHORT_ID: Final = 8
_STATUS_STYLES: Final = {"Failed": "bold red", "Complete": "green", _IN_PROGRESS: "cyan"}
_VERDICT_STYLES: Final = {"confirmed": "bold red", "ruled out": "green", "not decidable": "yellow"}


def renderable(found: Investigation, *, everything: bool = False) -> Group:
    """Return the report for a rich console; `everything` cuts and leaves out nothing."""
    return Group(headline(found), *_sections(found, everything=everything))


def plain(found: Investigation, *, width: int = 80, everything: bool = False) -> str:
    """Return the report as text of so many columns."""
    return blocks.as_text(renderable(found, everything=everything), width)


def brief(found: Investigation) -> Group:
    """Return the answer alone: what failed, where, which value did it, and what did not."""
    if found.failure is None:
        return headline(found)
    return Group(
        headline(found),
        where(found.failure),
        which_value(found, found.failure),
        hypotheses(found.hypotheses),
    )


def headline(found: Investigation) -> Group:
    """Say which task it is and the answer in one sentence, and how much the record allows."""
    task = found.task
    title = Text(f"{one_line(task.type, 40)} {one_line(task.id, 60)}  ", style="bold")
    title.append(one_line(task.status, 40), style=_STATUS_STYLES.get(task.status, ""))
    drawn: list[RenderableType] = [title]
    if found.asked != task.id:
        asked = one_line(found.asked, 60)
        drawn.append(blocks.said(f"asked for {asked}; this task is at the root of it", indent=0))
    drawn.append(blocks.said(found.says, "bold red" if found.failure else "bold", indent=0))
    drawn.append(blocks.said("; ".join(facts(found)), indent=0))
    if not found.completeness.complete:
        drawn.append(warning(found))
    return Group(*drawn)


def warning(found: Investigation) -> Group:
    """Say loudly that a record has holes, what may be concluded from it and what may not."""
    record = found.completeness
    return Group(
        Text(""),
        Text(f"THE RECORD IS INCOMPLETE: {lacks(record)}", style="bold yellow", overflow="fold"),
        *(blocks.said(sentence, "yellow") for sentence in conclusions(found)),
    )


def hypotheses(found: Sequence[HypothesisFound], *, everything: bool = False) -> Group:
    """Show each possible cause with its verdict, and the measured fact under it."""
    drawn: list[RenderableType] = []
    shown, more = blocks.first(found, _MOST_ROWS, "causes", everything=everything)
    for one in shown:
        line = Text(f"{one.verdict:<13}  ", style=_VERDICT_STYLES[one.verdict], overflow="fold")
        line.append(one_line(one.name, 200), style="not bold default")
        drawn += [blocks.styled(line), blocks.said(one.evidence, "dim", indent=17)]
    return blocks.section("Possible causes", drawn + more or [blocks.said("none is looked at")])


def differences(
    found: Sequence[DifferenceFound], *, this: str, other: str, everything: bool = False
) -> list[RenderableType]:
    """Show what differs between two tasks, side by side."""
    longest = 4000 if everything else 60
    shown, more = blocks.first(found, _MOST, "differences", everything=everything, indent=4)
    rows = [
        (
            Text(one_line(one.name, 28)),
            value_text(one.this, longest),
            value_text(one.other, longest),
        )
        for one in shown
    ]
    return [blocks.table(rows, ("", this, other), whole=everything, indent=4), *more]


def _sections(found: Investigation, *, everything: bool) -> Iterator[RenderableType]:
    failure = found.failure
    if failure:
        yield where(failure)
        yield which_value(found, failure, everything=everything)
        yield stack(failure, everything=everything)
        yield how_far(found, everything=everything)
    else:
        yield where_time_went(found)
    yield parameters(found, everything=everything)
    if everything:
        yield _ran_on(found)
    yield record(found.completeness, everything=everything)
    if len(found.attempts) > 1:
        yield attempts(found.attempts, everything=everything)
    if failure:
        yield _same(found, failure, everything=everything)
    if failure or found.relatives:
        yield _relatives(found, everything=everything)
    if failure:
        yield _last_good(found, everything=everything)
        yield hypotheses(found.hypotheses, everything=everything)
    yield _links(found)
    yield from _what_now(found, everything=everything)


def _ran_on(found: Investigation) -> Group:
    model, place = found.model, found.environment
    rows: list[tuple[str, str]] = [("model", model.name), ("engine", model.engine)]
    rows += [(f"LoRA {one.name}", one.multiplier) for one in model.loras]
    rows += [("host", place.host), ("loop26", place.loop26)]
    rows += [(name, value_text(value, 4000)) for name, value in place.facts.items()]
    shown = [(one_line(name, 40), text) for name, text in rows if text]
    return blocks.section("Model and environment", [blocks.table(shown, whole=True)])


def _same(found: Investigation, failure: FailureFound, *, everything: bool) -> Group:
    same = found.same_failure
    drawn: list[RenderableType] = []
    if not same:
        drawn.append(blocks.said("no other attempt is known to have failed in this way"))
    shown, more = blocks.first(same, _MOST, "attempts", everything=everything)
    for one in shown:
        drawn.append(blocks.said(f"{one_line(one.task, 60)}, attempt {one.attempt}"))
        drawn.append(
            blocks.said(f"{one_line(one.when, 40)} on {one_line(one.worker, 60)}", "dim", 4)
        )
    aside = f"fingerprint {failure.fingerprint}" if failure.fingerprint else ""
    return blocks.section("The same failure", drawn + more, aside)


def _relatives(found: Investigation, *, everything: bool) -> Group:
    """Show whom the failure took down, then the others of the journey."""
    fell = [one for one in found.relatives if one.felled]
    others = [one for one in found.relatives if not one.felled]
    if not found.failure:
        drawn = _grouped(others + fell, everything=everything)
        return blocks.section("Its relatives", drawn)
    drawn = _grouped(fell, everything=everything) or [blocks.said("nobody is known")]
    if others:
        drawn.append(blocks.said("others of its journey, not because of it:", "dim"))
        drawn += _grouped(others, everything=everything)
    return blocks.section("Whom it took down", drawn)


def _grouped(relatives: list[RelativeFound], *, everything: bool) -> list[RenderableType]:
    """Put together what ended alike and for one reason."""
    drawn: list[RenderableType] = []
    groups: dict[tuple[str, str], list[RelativeFound]] = {}
    for one in relatives:
        groups.setdefault((one.status, one.because), []).append(one)
    shown, more = blocks.first(list(groups.items()), _MOST, "groups", everything=everything)
    for (_, because), members in shown:
        types = Counter(one.type for one in members)
        kinds = ", ".join(f"{count:,} {one_line(name, 40)}" for name, count in types.most_common(4))
        drawn.append(blocks.said(f"{kinds}: {because}"))
        if everything:
            drawn += [blocks.said(f"{one.id}  {one.type}", indent=4) for one in members]
        else:
            ids = [one_line(one.id, _SHORT_ID + 1) for one in members[:_MOST_IDS]]
            left = len(members) - len(ids)
            ids += [blocks.left_out(left, "of them")] if left else []
            drawn.append(blocks.said(", ".join(ids), "dim", indent=4))
    return drawn + more


def _last_good(found: Investigation, *, everything: bool) -> Group:
    good = found.last_good
    if good is None:
        said = "none is known of this task type and model"
        return blocks.section("The last good run", [blocks.said(said)])
    drawn: list[RenderableType] = [blocks.said(f"{one_line(good.id, 60)}, {good.when}")]
    if good.later:
        drawn.append(blocks.said("it ended after this failure: none is known before", "dim"))
    if good.differences:
        drawn += differences(good.differences, this="this", other="good", everything=everything)
    else:
        drawn.append(blocks.said("nothing that is recorded differs"))
    return blocks.section("The last good run", drawn)


def _links(found: Investigation) -> Group:
    links = found.links
    known = [
        ("task", found.task.id),
        ("trace", links.trace_id),
        ("Jaeger", links.jaeger),
        ("event", links.sentry_event_id),
        ("Sentry", links.sentry),
        ("page", links.task),
        ("report", links.report),
    ]
    rows = [(name, Text(text)) for name, text in known if text]
    return blocks.section("Links", [blocks.table(rows, whole=True)])


def _what_now(found: Investigation, *, everything: bool) -> Iterator[RenderableType]:
    if found.replay or found.replayed:
        drawn: list[RenderableType] = [blocks.said(found.replay, "bold")] if found.replay else []
        if found.replayed:
            drawn.append(blocks.said(f"{found.replayed.at}: {found.replayed.says}"))
        yield blocks.section("Replay", drawn)
    if found.next_steps:
        shown, more = blocks.first(found.next_steps, _MOST_ROWS, "steps", everything=everything)
        yield blocks.section("Next steps", [blocks.listed(shown), *more])
