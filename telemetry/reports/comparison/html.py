"""The page of a comparison: two timelines under each other on one scale, the rest side by side."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from telemetry.reports.comparison import words
from telemetry.reports.comparison.pictures import pictures
from telemetry.reports.comparison.value import (
    SIDES,
    ComparedFound,
    Comparison,
    CrashPoint,
    ParamCompared,
    SideFound,
    TimingCompared,
)
from telemetry.reports.html.document import document
from telemetry.reports.html.markup import Content, Html, breakable, tag
from telemetry.reports.html.parts import (
    Section,
    contents,
    facts,
    first_upper,
    fold,
    mark,
    moment,
    muted,
    row,
    section,
    table,
)
from telemetry.reports.places import place_text
from telemetry.reports.wording import cut

_LONGEST: Final = 200
_MOST_DIVERGENCES: Final = 30
_SHORT: Final = 12
_MOODS: Final = {"Complete": "good", "Failed": "bad"}
_Row = TypeVar("_Row", ComparedFound, ParamCompared, TimingCompared)


def page(found: Comparison) -> str:
    """Return a comparison as one HTML file: it fetches nothing and runs only its own script."""
    sections = list(_sections(found))
    title = f"{found.alike} \N{MIDDLE DOT} {found.a.task.id[:8]}, {found.b.task.id[:8]}"
    return document(
        f"{title} \N{MIDDLE DOT} loop26",
        tag("a", "Skip to the comparison", href="#report", class_="skip"),
        _head(found),
        tag(
            "div",
            contents(sections),
            tag("main", (one.html for one in sections), id="report", tabindex=-1),
            class_="page",
        ),
    )


def _sections(found: Comparison) -> Iterator[Section]:
    yield _divergences(found)
    yield pictures(found)
    if found.a.crash or found.b.crash:
        yield _crash(found)
    yield _params(found)
    asked = [one for one in found.asked if one.matters]
    if asked:
        yield section("asked", "What was asked", _facts(asked, "What was asked", plain=False))
    yield _defaults(found)
    yield section("lifecycle", "Lifecycle", _facts(found.lifecycle, "Lifecycle"))
    yield _timings(found)
    yield section("environment", "Environment", _facts(found.environment, "Environment"))


def _head(found: Comparison) -> Html:
    mood = "good" if found.alike == "no significant difference" else "open"
    if found.a.crash or found.b.crash:
        mood = "bad"
    return tag(
        "header",
        tag("p", "loop26 comparison ", mark(found.alike, mood), class_="kicker"),
        tag("h1", breakable(first_upper(cut(found.says, 600)))),
        _notice(found.caveats),
        facts((name, _task(side)) for name, side in (("A", found.a), ("B", found.b))),
        class_=f"answer {mood}",
    )


def _notice(caveats: Sequence[str]) -> Html | None:
    if not caveats:
        return None
    listed = (tag("p", first_upper(cut(one, 600))) for one in caveats)
    return tag("div", listed, class_="notice", role="note")


def _task(side: SideFound) -> Html:
    task = side.task
    return tag(
        "span",
        tag("code", cut(task.id, 80)),
        " ",
        cut(task.type, 60),
        " ",
        mark(cut(task.status, 40), _MOODS.get(task.status, "open")),
    )


def _divergences(found: Comparison) -> Section:
    told = found.divergences
    title = "The first divergence"
    if not told:
        return section("divergence", title, muted(first_upper(words.no_divergence(found))))
    # Where the ways part is the last: it is told, however many there are before it.
    cut_off = len(told) > _MOST_DIVERGENCES
    shown = [*told[: _MOST_DIVERGENCES - 1], told[-1]] if cut_off else told
    items = [
        tag(
            "li",
            tag("p", tag("strong", one.says) if number == 0 else (words.then(one), ": ", one.says)),
            muted(words.when(one)),
            class_="culprit" if one.parts else None,
        )
        for number, one in enumerate(shown)
    ]
    left = len(told) - len(shown)
    word = muted(f"{left:,} more are not shown here; `--json` has them all.") if left else None
    return section(
        "divergence",
        title,
        muted("In the order of the attempts; what follows from an earlier one is told once."),
        tag("ol", items, class_="trail"),
        word,
        short="Divergence",
    )


def _crash(found: Comparison) -> Section:
    points = [_point(name, side) for name, side in (("A", found.a), ("B", found.b))]
    return section("crash", "Crash points", _facts(found.crash, "Crash points"), points)


def _point(name: str, side: SideFound) -> Content:
    crash = side.crash
    if crash is None:
        return tag("h3", name), tag("p", first_upper(side.says))
    failure = crash.failure
    where = place_text(failure.location, failure.place, failure.own) or failure.sentence
    return (
        tag("h3", name, ": ", tag("code", breakable(cut(where, 400)))),
        tag("p", first_upper(crash.pattern)),
        _around(crash, name),
    )


def _around(crash: CrashPoint, name: str) -> Html | None:
    if not crash.around:
        return None
    rows = [
        row(
            tag("span", f"{one.offset_ms:+.3f} ms", class_="figure"),
            moment(one.at),
            mark(cut(one.kind, 40), "bad" if one.kind in ("failure", "handled") else "quiet"),
            cut(one.text, 400),
            class_="failing" if one.kind == "failure" else None,
        )
        for one in crash.around
    ]
    headings = ["From the failure", "Time", "What", "Said"]
    return table(headings, rows, label=f"Records around the failure of {name}", class_="moments")


def _params(found: Comparison) -> Section:
    title = "Parameters at the crash point" if found.a.crash or found.b.crash else "Parameters"
    if not found.params:
        return section("params", title, muted("None is in either record."), short="Parameters")
    shown, others = _split(found.params)
    return section(
        "params",
        title,
        _params_table(shown, "Parameters that differ") if shown else None,
        fold(words.left(others, "parameter"), _params_table(others, "Other parameters"))
        if others
        else None,
        short="Parameters",
    )


def _params_table(rows: Sequence[ParamCompared], label: str) -> Html:
    told = [
        row(
            tag("code", breakable(cut(one.name, 80))),
            *(tag("code", words.param_cell(one, side, _LONGEST), class_="value") for side in SIDES),
            words.both(one, "type"),
            words.both(one, "source"),
            _how(one),
        )
        for one in rows
    ]
    return table(["Parameter", "A", "B", "Type", "Layer", ""], told, label=label)


def _defaults(found: Comparison) -> Section:
    built = found.defaults[: words.BUILT]
    shown, others = _split(found.defaults[words.BUILT :])
    rows = [
        row(
            tag("code", breakable(cut(one.name, 80))),
            *(
                tag("code", words.default_cell(one, side, _LONGEST), class_="value")
                for side in SIDES
            ),
            _how(one),
        )
        for one in shown
    ]
    return section(
        "defaults",
        "Model defaults",
        _facts(built, "Model defaults"),
        table(["Key", "A", "B", ""], rows, label="Keys that differ") if rows else None,
        muted(f"{words.left(others, 'key')}.") if others else None,
        short="Defaults",
    )


def _timings(found: Comparison) -> Section:
    rows = [
        row(
            cut(one.name, 80),
            *(tag("span", words.took(one, side, found), class_="figure") for side in SIDES),
            tag("span", words.ratio(one), class_="figure"),
            _how(one),
        )
        for one in found.timings
    ]
    listed = table(["Part", "A", "B", "B / A", ""], rows, label="Timings")
    return section("timings", "Timings", muted(f"{first_upper(words.threshold())}."), listed)


def _facts(rows: Sequence[ComparedFound], label: str, *, plain: bool = True) -> Html:
    told = [
        row(
            cut(one.name, 80),
            *(_cell(words.cell(one, side, _LONGEST, plain=plain)) for side in SIDES),
            _how(one),
        )
        for one in rows
    ]
    return table(["", "A", "B", ""], told, label=label)


def _cell(text: str) -> Html:
    """Return a fact; one of a few letters stays on its line."""
    return tag("span", text, class_="figure") if len(text) <= _SHORT else breakable(text)


def _how(one: _Row) -> Content:
    """Say whether a row differs and matters."""
    if one.matters:
        why = one.why if one.why not in ("", "value") else ""
        return mark("differs", "accent"), f" {why}" if why else None
    if isinstance(one, TimingCompared):
        return tag("span", one.why, class_="muted") if one.why else None
    if one.unknown:
        return mark("unknown", "open")
    return tag("span", one.why or "differs", class_="muted") if one.differs else None


def _split(rows: Sequence[_Row]) -> tuple[list[_Row], list[_Row]]:
    return [one for one in rows if one.matters], [one for one in rows if not one.matters]
