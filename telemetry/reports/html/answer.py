"""The head of the page: what failed, where, how surely that is known; then source and value."""

from pathlib import PurePosixPath
from typing import Final

from telemetry.reports.findings import (
    FailureFound,
    FrameFound,
    Investigation,
    Location,
    ValueFound,
)
from telemetry.reports.html.markup import Content, Html, breakable, tag
from telemetry.reports.html.parts import (
    Section,
    facts,
    first_upper,
    mark,
    moment,
    muted,
    section,
    value,
)
from telemetry.reports.html.source import listing
from telemetry.reports.places import (
    CALLED_AT,
    NO_PLACE,
    how_known,
    innermost,
    location_of,
    place_text,
)
from telemetry.reports.sentences import (
    conclusions,
    handled_text,
    no_value,
    root_first,
    root_frame,
    root_known,
    root_own_frame,
    root_text,
)
from telemetry.reports.wording import cut, one_line, value_text

_LONGEST_ANSWER: Final = 400
_MOST_WORDS: Final = 20
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
        _notice(found),
        _place(failure, _headline(found)) if failure else None,
        _facts(found),
        class_=f"answer {mood}",
    )


def _headline(found: Investigation) -> str:
    """Return the answer; one that begins with the name of an exception is left as it is."""
    said = cut(found.says, _LONGEST_ANSWER)
    named = found.failure is not None and found.failure.kind not in ("death", "hang")
    return said if named else first_upper(said)


def sections(found: Investigation, failure: FailureFound) -> list[Section]:
    """Return the source lines around the failure's place, and the value that decided it."""
    return [_where(failure), _value(found, failure)]


def status_mood(status: str) -> str:
    """Return the colour of a task's status."""
    return _MOODS.get(status, "open")


def _place(failure: FailureFound, headline: str) -> Html:
    """Return the exact place; what was raised there, where the headline does not say it."""
    known = how_known(failure.place) if failure.location.file else ""
    behind, root, why = handled_text(failure), root_first(failure), root_known(failure)
    return tag(
        "div",
        None if one_line(_raised(failure), 800) in headline else _what(failure),
        tag("p", first_upper(cut(root_text(root), 1000)), class_="raised") if root else None,
        tag("p", first_upper(why), ".", class_="known") if why else None,
        tag("p", _spot(failure.location, failure.place), _called(failure), class_="where"),
        tag("p", first_upper(known), ".", class_="known") if known else None,
        tag("p", "An exception before it: ", cut(behind, 800), class_="known") if behind else None,
        class_="error",
    )


def _raised(failure: FailureFound) -> str:
    return ": ".join(filter(None, (failure.type, failure.message)))


def _what(failure: FailureFound) -> Html:
    return tag(
        "p",
        tag("strong", cut(failure.type, 200)),
        " ",
        tag("span", cut(failure.message, 800)),
        class_="raised",
    )


def _spot(location: Location, place: str) -> Content:
    """Write a place as `place_text` does, the name of the file and the line set off."""
    if not location.file:
        return f"The place is {NO_PLACE}."
    file, function = one_line(location.file, 300), one_line(location.function, 200)
    return (
        f"{one_line(place, 60)} ".lstrip(),
        _file_line(file, location.line),
        (" in ", tag("code", breakable(function))) if function else None,
    )


def _called(failure: FailureFound) -> Content:
    """Write after a library's place the line of our own that called it."""
    return (", ", _spot(failure.own, CALLED_AT)) if failure.location.file and failure.own else None


def _file_line(file: str, line: int) -> Html:
    path = PurePosixPath(file)
    parent = "" if str(path.parent) == "." else f"{path.parent}/".replace("//", "/")
    name = tag("b", f"{path.name}:{line}")
    return tag("code", tag("span", breakable(parent), class_="folder"), name)


def _notice(found: Investigation) -> Html | None:
    """Say what an incomplete record lacks, what may be concluded from it, and what may not."""
    if found.completeness.complete:
        return None
    lacking = found.completeness.says.removeprefix("incomplete: ")
    return tag(
        "div",
        tag("p", tag("strong", "\N{WARNING SIGN} The record is incomplete.")),
        tag("p", cut(first_upper(lacking), 600)),
        map(_conclusion, conclusions(found)),
        class_="notice",
        role="note",
    )


def _conclusion(sentence: str) -> Html:
    about, colon, said = sentence.partition(":")
    return tag("p", tag("b", about, colon), said)


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
    frame, behind = innermost(failure.frames, failure.location), root_frame(failure)
    body: list[Content] = []
    if failure.root and behind and behind.source:
        body.append(_figure(root_text(failure.root), behind, failure.root.expression))
        body.append(_own_figure(root_own_frame(failure)))
    if frame and frame.source:
        place = place_text(failure.location, failure.place, failure.own)
        said = f"{place}; the source is as it was then"
        own = f"the failure itself {said}" if body else said
        body.append(_figure(own, frame, failure.expression))
        body.append(_own_figure(innermost(failure.frames, failure.own)))
    elif not body:
        body.append(muted("The record holds no source lines of this place."))
    if failure.last_words:
        words = failure.last_words[-_MOST_WORDS:]
        body += [
            tag("h3", "Last words of the process"),
            tag("pre", "\n".join(cut(word, 300) for word in words), class_="words", tabindex=0),
        ]
    return section("where", "Where", *body, short="Source")


def _figure(said: str, frame: FrameFound, expression: str) -> Html:
    caption = tag("figcaption", said)
    return tag("figure", caption, listing(frame, expression))


def _own_figure(frame: FrameFound | None) -> Html | None:
    """Show the source around our own line, where what raised is a library's."""
    if frame is None or not frame.source:
        return None
    return _figure(place_text(location_of(frame), CALLED_AT), frame, "")


def _value(found: Investigation, failure: FailureFound) -> Section:
    if not failure.values:
        body = muted(first_upper(no_value(found, failure)), ".")
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
