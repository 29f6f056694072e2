"""What else is about the task: its relatives, the same failure elsewhere, good and earlier runs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from telemetry.reports.company import (
    AttemptFound,
    DifferenceFound,
    LastGoodFound,
    RelativeFound,
    SameFailureFound,
    TaskFound,
)
from telemetry.reports.findings import EnvironmentFound, Investigation
from telemetry.reports.html.answer import status_mood
from telemetry.reports.html.markup import Content, Html, breakable, link, tag
from telemetry.reports.html.parts import (
    NOTHING,
    Section,
    facts,
    first_of,
    fold,
    mark,
    moment,
    muted,
    row,
    section,
    table,
    value,
)
from telemetry.reports.wording import cut

_MOST: Final = 200
_LONGEST: Final = 300
_MOST_STEPS: Final = 30
_UNFOLDED: Final = 3


def relatives(found: Sequence[RelativeFound]) -> Section:
    """Return the other tasks of the journey, and what their ends have to do with this one."""
    if not found:
        none = muted("No other task of its journey is known.")
        return section("relatives", "Whom it took down", none, short="Relatives")
    statuses = Counter(cut(one.status, 40) for one in found).most_common(6)
    by_status = ", ".join(f"{count:,} {status}" for status, count in statuses)
    shown, word = first_of(found, _MOST, "relatives")
    rows = [
        row(
            _task_id(one.id),
            cut(one.type, 60),
            mark(cut(one.status, 40), status_mood(one.status)),
            tag("span", cut(one.because, _LONGEST), class_="said"),
        )
        for one in shown
    ]
    said = muted(f"{len(found):,} other tasks of its journey: {by_status}.")
    listed = table(["Task", "Type", "Status", "Because"], rows, label="Relatives", class_="wordy")
    return section("relatives", "Whom it took down", said, listed, word, short="Relatives")


def same_failure(found: Sequence[SameFailureFound]) -> Section:
    """Return the other attempts that ended in a failure of the same fingerprint."""
    if not found:
        none = muted("No other failure of this fingerprint is known.")
        return section("same", "The same failure elsewhere", none, short="Same failure")
    shown, word = first_of(found, _MOST, "failures")
    count = f"{len(found):,} other {'attempt' if len(found) == 1 else 'attempts'}"
    said = muted(f"{count} ended in a failure of this fingerprint: they are one failure.")
    listed = table(
        ["Task", "Attempt", "Worker", "When"], map(_failure, shown), label="The same failure"
    )
    return section("same", "The same failure elsewhere", said, listed, word, short="Same failure")


def _failure(one: SameFailureFound) -> Html:
    return row(_task_id(one.task), one.attempt, tag("code", cut(one.worker, 120)), moment(one.when))


def attempts(found: Sequence[AttemptFound]) -> Section:
    """Return how each attempt at the task ended, the newest first."""
    shown, word = first_of(found, _MOST, "attempts")
    rows = [
        row(
            one.attempt,
            tag("span", cut(one.says, _LONGEST), class_="said"),
            tag("code", cut(one.worker, 120)),
            moment(one.when),
        )
        for one in shown
    ]
    listed = table(["Attempt", "What became of it", "Worker", "When"], rows, label="Attempts",
                   class_="wordy")  # fmt: skip
    return section("attempts", "Attempts", listed, word)


def last_good(found: LastGoodFound | None) -> Section:
    """Return the newest run of the same type and model that went well, and what differs."""
    title = "Last good run"
    if found is None:
        none = muted("No task of this type and model is known to have gone well.")
        return section("good", title, none)
    later = ", which ended after this failure: none is known before" if found.later else ""
    said = tag("p", "Task ", _task_id(found.id), ", ", moment(found.when), later)
    differing = _differences(found.differences, "This task", "The good run")
    return section("good", title, said, differing)


def previous(found: SameFailureFound | None, compared: Sequence[DifferenceFound]) -> Section:
    """Return the failure before this one, and how the two compare."""
    title, short = "Compared with the previous failure", "Previous failure"
    if found is None:
        return section("previous", title, muted("No earlier failure is known."), short=short)
    said = tag("p", "Task ", _task_id(found.task), ", attempt ", found.attempt, ", ",
               moment(found.when))  # fmt: skip
    differing = _differences(compared, "This failure", "The previous one")
    return section("previous", title, said, differing, short=short)


def _differences(found: Sequence[DifferenceFound], this: str, other: str) -> Content:
    if not found:
        return muted("Nothing that matters differs.")
    shown, word = first_of(found, _MOST, "differences")
    rows = [
        row(
            cut(one.name, 80),
            NOTHING if one.this is None else _fact(one.this),
            NOTHING if one.other is None else _fact(one.other),
            mark("same", "quiet") if one.this == one.other else mark("differs", "accent"),
        )
        for one in shown
    ]
    return table(
        ["What", this, other, ""], rows, label=f"{this} and {other}", class_="differences"
    ), word


def tasks(found: Investigation) -> Section:
    """Return the tasks that are involved, the investigated one first; many are folded."""
    shown, word = first_of(found.tasks, _MOST, "tasks")
    first, others = shown[:_UNFOLDED], shown[_UNFOLDED:]
    folded = fold(f"{len(others):,} more tasks", _tasks(others, found.task.id)) if others else None
    listed = _tasks(first, found.task.id)
    return section("tasks", "Tasks involved", listed, folded, word, short="Tasks")


def _tasks(some: Sequence[TaskFound], here: str) -> Html:
    rows = (_task(one, here=one.id == here) for one in some)
    headings = ["Task", "Status", "Times", "Error"]
    return table(headings, rows, label="Tasks", class_="tasks")


def _task(one: TaskFound, *, here: bool) -> Html:
    attempt = f", attempt {one.attempt}" if one.attempt else ""
    times = (("Created", one.created), ("Claimed", one.claimed), ("Returned", one.returned))
    return row(
        (
            _task_id(one.id),
            tag("span", f"{cut(one.type, 60)}{attempt}", class_="under"),
            tag("span", breakable(cut(one.worker, 120)), class_="under") if one.worker else None,
        ),
        mark(cut(one.status, 40), status_mood(one.status)),
        facts((name, moment(at) if at else None) for name, at in times),
        tag("span", cut(one.error, _LONGEST), class_="said") if one.error else NOTHING,
        class_="here" if here else None,
    )


def environment(found: EnvironmentFound) -> Section:
    """Return where it ran."""
    pairs: Iterable[tuple[str, Content]] = (
        ("Host", cut(found.host, 120)),
        ("loop26", cut(found.loop26, 60)),
        *((cut(name, 60), _fact(one)) for name, one in list(found.facts.items())[:_MOST]),
    )
    return section("environment", "Environment", facts(pairs))


def _fact(given: object) -> Content:
    """Return a text as it reads, any other value as Python writes it."""
    return (
        tag("span", cut(given, _LONGEST), class_="said")
        if isinstance(given, str) and given
        else value(given, _LONGEST)
    )


def links(found: Investigation) -> Section:
    """Return where else to look, and the command that runs it again."""
    told = found.links
    pages = {
        "Jaeger": told.jaeger,
        "Sentry": told.sentry,
        "Task": told.task,
        "Report": told.report,
    }
    pairs: list[tuple[str, Content]] = [
        *((name, link(page, cut(page, 120)) if page else None) for name, page in pages.items()),
        ("Trace", tag("code", cut(told.trace_id, 80)) if told.trace_id else None),
        (
            "Sentry event",
            tag("code", cut(told.sentry_event_id, 80)) if told.sentry_event_id else None,
        ),
    ]
    return section(
        "links", "Links and replay", facts(pairs, long=True), _replay(found), short="Replay"
    )


def _replay(found: Investigation) -> Content:
    if not found.replay:
        return None
    command = tag(
        "p",
        tag("code", cut(found.replay, _LONGEST), id="replay-command"),
        tag("button", "Copy", type="button", data_copy="replay-command", hidden=True),
        class_="command",
    )
    return tag("p", "Run it again from its recorded inputs, offline:"), command, _replayed(found)


def _replayed(found: Investigation) -> Html | None:
    """Say what a replay saw, where there was one."""
    seen = found.replayed
    if seen is None:
        return None
    same = mark("the same failure", "bad") if seen.same else mark("not the same", "open")
    said = tag("span", f" {cut(seen.says, _LONGEST)}")
    return tag("p", "Replayed ", moment(seen.at), ": ", same, said)


def next_steps(found: Sequence[str]) -> Section:
    """Return what to do next."""
    if not found:
        return section("next", "Next steps", muted("There is nothing to do."))
    shown, word = first_of(found, _MOST_STEPS, "steps")
    listed = tag("ol", (tag("li", _with_commands(cut(one, _LONGEST))) for one in shown))
    return section("next", "Next steps", listed, word)


def _with_commands(sentence: str) -> list[Content]:
    """Set off what stands between backticks."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:  # one of them has no other half
        return [sentence]
    return [tag("code", part) if number % 2 else part for number, part in enumerate(parts)]


def _task_id(given: str) -> Html:
    return tag("code", cut(given, 80), class_="id")
