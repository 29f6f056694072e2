"""The head of the page: what failed, where, how surely that is known; then source and value."""

from pathlib import PurePosixPath
from typing import Final

from telemetry.reports.findings import (
    CompletenessFound,
    FailureFound,
    FrameFound,
    Investigation,
    ValueFound,
)
from telemetry.reports.html.markup import Content, Html, breakable, tag
from telemetry.reports.html.parts import Section, facts, mark, moment, muted, section, value
from telemetry.reports.html.source import listing
from telemetry.reports.wording import cut, value_text

_LONGEST_ANSWER: Final = 400
_MOST_WORDS: Final = 20
# How exactly a place is known, and what may be read from it.
_KNOWN: Final = {
    "raised at": "Recorded where the exception was raised, with the exception itself in hand.",
    "reported at": (
        "The engine passed on a text and no exception: this line reported it, and what went wrong "
        "is below this line."
    ),
    "stopped at": (
        "The innermost line of Python of the thread that stopped, from the stack that the process "
        "left."
    ),
    "opened at": (
        "The process left no stack. This line opened the innermost span that had not ended: it "
        "failed somewhere below this line."
    ),
}
_MOODS: Final = {"Complete": "good", "Failed": "bad"}


def head(found: Investigation) -> Html:
    """Return the head of the page: the answer, and what restricts it."""
    failure = found.failure
    mood = "bad" if failure else _MOODS.get(found.task.status, "open")
    return tag(
        "header",
        tag(
            "p",
            "loop26 investigation ",
            mark(cut(found.task.status, 40) or "unknown", mood),
            class_="kicker",
        ),
        tag("h1", breakable(_headline(found))),
        _notice(found.completeness, failure),
        _place(failure) if failure else None,
        _facts(found),
        class_=f"answer {mood}",
    )


def _headline(found: Investigation) -> str:
    """Return the answer; one that begins with the name of an exception is left as it is."""
    said = cut(found.says, _LONGEST_ANSWER)
    named = found.failure is not None and found.failure.kind not in ("death", "hang")
    return said if named else _first_upper(said)


def _first_upper(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"


def sections(failure: FailureFound) -> list[Section]:
    """Return the source lines around the failing one, and the value that decided it."""
    return [_where(failure), _value(failure)]


def status_mood(status: str) -> str:
    """Return the colour of a task's status."""
    return _MOODS.get(status, "open")


def _place(failure: FailureFound) -> Html:
    location = failure.location
    where = (
        (
            failure.place or "at",
            " ",
            _file_line(failure),
            " in ",
            tag("code", breakable(cut(location.function, 200))),
        )
        if location.file
        else ("No line of code is known.",)
    )
    known = _KNOWN.get(failure.place) if location.file else None
    return tag(
        "div",
        tag(
            "p",
            tag("strong", cut(failure.type, 200)),
            " ",
            tag("span", cut(failure.message, 800)),
            class_="raised",
        ),
        tag("p", where, class_="where"),
        tag("p", known, class_="known") if known else None,
        _handled_before(failure),
        class_="error",
    )


def _file_line(failure: FailureFound) -> Html:
    location = failure.location
    path = PurePosixPath(cut(location.file, 300))
    parent = "" if str(path.parent) == "." else f"{path.parent}/".replace("//", "/")
    name = tag("b", f"{path.name}:{location.line}")
    return tag("code", tag("span", breakable(parent), class_="folder"), name)


def _handled_before(failure: FailureFound) -> Html | None:
    """Say which exception is behind this one, where one was handled before."""
    cause = failure.caused_by
    if not cause:
        return None
    told = " ".join(str(cause.get(key, "")) for key in ("type", "message")).strip()
    where = f"{cause.get('place', '')} {cause.get('file', '')}:{cause.get('line', '')}".strip()
    function = cause.get("function", "")
    within = tag("code", cut(str(function), 120))
    said = ("Behind it: ", tag("strong", cut(told, 400)), f" {cut(where, 300)} in ", within)
    return tag("p", said, class_="known")


def _notice(completeness: CompletenessFound, failure: FailureFound | None) -> Html | None:
    if completeness.complete:
        return None
    return tag(
        "div",
        tag("p", tag("strong", "\N{WARNING SIGN} The record is incomplete.")),
        tag("p", cut(_first_upper(completeness.says.removeprefix("incomplete: ")), 600)),
        tag("p", tag("b", "What may be concluded: "), _conclusion(failure)),
        class_="notice",
        role="note",
    )


def _conclusion(failure: FailureFound | None) -> str:
    counts = (
        "Numbers of iterations, steps and records on this page are the least that happened: the "
        "last record received is not the place of a failure."
    )
    if failure is None:
        return f"that something failed is not recorded; it may be among what is missing. {counts}"
    if failure.frames:
        return (
            "the place is certain: it is from the record of the error itself, which arrived "
            f"whole. {counts}"
        )
    if failure.location.file:
        return (
            "the place is what the task's row, or the death, kept of it; the stack and the "
            f"values are not in this record. {counts}"
        )
    return f"that it failed, and not where. {counts}"


def _facts(found: Investigation) -> Html:
    task, failure, loop, steps = found.task, found.failure, found.loop, found.steps
    least = "" if found.completeness.complete else "at least "
    ended = None
    if failure and failure.signal:
        ended = failure.signal
    elif failure and failure.exit_code is not None:
        ended = f"exit code {failure.exit_code}"
    pairs: list[tuple[str, Content]] = [
        ("Task", tag("code", task.id)),
        ("Asked for", tag("code", found.asked) if found.asked != task.id else None),
        ("Type", task.type),
        ("Worker", breakable(task.worker) if task.worker else None),
        ("Attempt", str(task.attempt) if task.attempt else None),
        ("Failed at" if failure else "Returned", moment(failure.at if failure else task.returned)),
        ("Kind", failure.kind if failure else None),
        ("Ended by", ended),
        ("Stage", failure.stage if failure else None),
        (
            "Parameter loop",
            f"{least}{loop.completed} of {loop.total} ended" if loop.total else None,
        ),
        ("Denoising", f"{least}{steps.completed} of {steps.total} steps" if steps.total else None),
        ("Model", tag("code", breakable(found.model.name)) if found.model.name else None),
        ("Fingerprint", tag("code", failure.fingerprint) if failure else None),
    ]
    return facts(pairs)


def _where(failure: FailureFound) -> Section:
    frame = _failing_frame(failure)
    body: list[Content] = []
    if frame and frame.source:
        said = f"{frame.file}, line {frame.line}, as it was when it failed"
        body = [tag("figure", tag("figcaption", said), listing(frame, failure.expression))]
    else:
        body = [muted("The record holds no source lines of this place.")]
    if failure.last_words:
        words = failure.last_words[-_MOST_WORDS:]
        body += [
            tag("h3", "Last words of the process"),
            tag("pre", "\n".join(cut(word, 300) for word in words), class_="words", tabindex=0),
        ]
    return section("where", "Where it failed", *body, short="Source")


def _failing_frame(failure: FailureFound) -> FrameFound | None:
    """Return the frame of the failure's place, the innermost where several are."""
    location = failure.location
    frames = list(reversed(failure.frames))
    same = [one for one in frames if (one.file, one.line) == (location.file, location.line)]
    return next(iter(same or frames), None)


def _value(failure: FailureFound) -> Section:
    if not failure.values:
        body = muted("The record does not hold the values of the failing line.")
    else:
        body = tag("ol", map(_step, failure.values), class_="trail")
    return section("value", "Which value did it, and where it came from", body, short="Value")


def _step(one: ValueFound) -> Html:
    written = value_text(one.value, 200)
    return tag(
        "li",
        tag("p", tag("code", one.name, class_="name"), " = ", value(one.value, 200)),
        muted(cut(one.origin, 300)),
        class_="culprit" if written in ("None", "''") else None,
    )


def title(found: Investigation) -> str:
    """Return what the browser's tab says."""
    what = found.failure.type if found.failure else found.task.status
    parts = (cut(what, 60), f"task {found.task.id[:8]}", "loop26")
    return " \N{MIDDLE DOT} ".join(filter(None, parts))
