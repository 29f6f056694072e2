"""The report on one task as Markdown that fits a GitHub comment."""

from collections.abc import Iterator
from typing import Final

from telemetry.reports.company import TaskFound
from telemetry.reports.findings import Investigation
from telemetry.reports.markdown import blocks as md
from telemetry.reports.markdown import course
from telemetry.reports.markdown.blocks import Block
from telemetry.reports.markdown.failure import around, root_cause
from telemetry.reports.places import place_text
from telemetry.reports.relatives import BY_ITSELF
from telemetry.reports.sentences import (
    conclusions,
    counted,
    facts,
    lacks,
)
from telemetry.reports.wording import value_text

# Characters of a value; the first that lets the report fit, else the last, and rows are left out.
_LONGEST: Final = (600, 200, 80)
_MOST_SAME: Final = 50


def markdown(found: Investigation) -> str:
    """Return the report: every section that a careful person would write by hand, computed."""
    for longest in _LONGEST[:-1]:
        if (text := md.whole(_blocks(found, longest))) is not None:
            return text
    return md.joined(_blocks(found, _LONGEST[-1]))


def summary(found: Investigation) -> Iterator[Block]:
    """Say which task it is and the answer in one sentence, and what the record allows."""
    task = found.task
    yield md.heading(f"{md.code(task.type)} {md.code(task.id)}: {md.code(task.status)}", 1)
    yield md.heading("Executive summary")
    if found.asked != task.id:
        yield md.paragraph(f"Asked for {md.code(found.asked)}; this task is at the root of it.")
    yield md.paragraph(f"**{md.prose(found.says) or 'Nothing is known of it.'}**")
    if not found.completeness.complete:
        said = f"**The record is incomplete: {md.prose(lacks(found.completeness))}.**"
        yield md.warning([said, *map(md.prose, conclusions(found))])
    yield md.bullets([*map(md.prose, facts(found)), *_short(found)])


def tasks(found: list[TaskFound], longest: int) -> Iterator[Block]:
    """Show every task that is involved, in a table."""
    yield md.heading("Tasks involved")
    titles = ("task", "type", "status", "created", "claimed", "returned", "worker", "error")
    above = ["", *(one.error for one in found)]
    rows = [_task(one, longest, before) for one, before in zip(found, above, strict=False)]
    yield md.table(titles, rows, "tasks")


def hypotheses(found: Investigation) -> Iterator[Block]:
    """Show each possible cause with its verdict and the measured fact."""
    yield md.heading("Possible causes")
    rows = [
        (md.prose(one.name, 200), f"**{one.verdict}**", md.prose(one.evidence, 600))
        for one in found.hypotheses
    ]
    yield md.table(("cause", "verdict", "evidence"), rows) if rows else md.paragraph("None.")


def _blocks(found: Investigation, longest: int) -> Iterator[Block]:
    failure = found.failure
    yield from summary(found)
    yield from tasks(found.tasks, longest)
    if failure:
        yield from root_cause(found, failure, longest)
        yield from around(found.timeline.around)
    yield from course.how_far(found)
    yield from course.model(found.model, longest)
    yield from course.params(found, longest)
    yield from course.defaults(found.defaults, longest)
    yield from course.record(found.completeness)
    yield from course.attempts(found.attempts)
    if failure:
        yield from _previous(found, longest)
        yield from _same(found)
        yield from _last_good(found, longest)
        yield from hypotheses(found)
    yield from _environment(found, longest)
    yield from _links(found)
    if found.next_steps:
        yield md.heading("Recommended next steps")
        yield md.bullets(map(md.prose, found.next_steps), numbered=True)


def _short(found: Investigation) -> Iterator[str]:
    """Say in the summary what each part of the report says at length."""
    failure = found.failure
    if not failure:
        return
    if place := place_text(failure.location, failure.place, failure.own):
        yield f"where: {md.code(place, 700)}"
    for one in failure.values[:3]:
        yield f"{md.code(one.name)} was {md.code(value_text(one.value))}, {md.prose(one.origin)}"
    for verdict in ("confirmed", "ruled out", "not decidable"):
        names = [md.prose(one.name, 80) for one in found.hypotheses if one.verdict == verdict]
        if names:
            yield f"{verdict}: {', '.join(names[:12])}"


def _task(one: TaskFound, longest: int, error_above: str) -> tuple[str, ...]:
    as_above = one.error and one.error == error_above
    return (
        md.code(one.id, 60),
        md.code(one.type, 60),
        md.code(one.status, 40),
        *(md.code(when, 40) for when in (one.created, one.claimed, one.returned)),
        md.code(one.worker, 80),
        "as above" if as_above else md.code(one.error, longest),
    )


def _previous(found: Investigation, longest: int) -> Iterator[Block]:
    yield md.heading("Comparison with the previous failure")
    before = found.previous
    if before is None:
        yield md.paragraph("No earlier failure is known.")
        return
    yield md.paragraph(
        f"Before this one {md.code(before.task)} failed: attempt {before.attempt} on "
        f"{md.code(before.worker) or 'an unknown worker'}, {md.code(before.when)}. "
        f"{_whether_same(found)}"
    )
    yield md.differences(found.against_previous, "this failure", "the previous one", longest)


def _whether_same(found: Investigation) -> str:
    same = {(one.task, one.attempt) for one in found.same_failure}
    before = found.previous
    is_same = before is not None and (before.task, before.attempt) in same
    return "**It is the same failure.**" if is_same else "It is another failure."


def _same(found: Investigation) -> Iterator[Block]:
    yield md.heading("The same failure, and whom this one took down")
    same = found.same_failure
    if same:
        rows = [
            (md.code(one.task), str(one.attempt), md.code(one.worker), md.code(one.when))
            for one in same[:_MOST_SAME]
        ]
        yield md.table(("task", "attempt", "worker", "when"), rows, "attempts")
    else:
        yield md.paragraph("No other attempt is known to have failed in this way.")
    fell = sum(one.felled for one in found.relatives)
    said = f"{counted(fell, 'other task')} of {len(found.relatives):,} in its journey fell with it."
    yield md.paragraph(said)
    others = [one for one in found.relatives if one.because.startswith(BY_ITSELF)]
    if others:
        yield md.bullets(
            f"{md.code(one.id)} {md.prose(one.because)}" for one in others[:_MOST_SAME]
        )


def _last_good(found: Investigation, longest: int) -> Iterator[Block]:
    yield md.heading("The last good run")
    good = found.last_good
    if good is None:
        yield md.paragraph("None is known of this task type and model.")
        return
    later = ", which ended after this failure: none is known before" if good.later else ""
    yield md.paragraph(f"{md.code(good.id)}, {md.code(good.when)}{later}. What differs:")
    if good.differences:
        yield md.differences(good.differences, "this", "the good one", longest)
    else:
        yield md.paragraph("Nothing that is recorded.")


def _environment(found: Investigation, longest: int) -> Iterator[Block]:
    yield md.heading("Environment")
    place = found.environment
    rows = [("host", md.code(place.host)), ("loop26", md.code(place.loop26))]
    rows += [(md.code(name, longest), md.value(one, longest)) for name, one in place.facts.items()]
    yield md.table(("", "value"), [row for row in rows if row[1]])


def _links(found: Investigation) -> Iterator[Block]:
    yield md.heading("Links and replay")
    links = found.links
    known = [
        ("trace", md.code(links.trace_id)),
        ("Jaeger", md.link(links.jaeger)),
        ("Sentry event", md.code(links.sentry_event_id)),
        ("Sentry", md.link(links.sentry)),
        ("task", md.link(links.task)),
        ("report", md.link(links.report)),
        ("replay", md.code(found.replay, 400)),
    ]
    lines = [f"{name}: {text}" for name, text in known if text]
    if found.replayed:
        lines.append(f"replayed {md.code(found.replayed.at)}: {md.prose(found.replayed.says)}")
    yield md.bullets(lines)
