"""What the sections of a page are made of: sections, tables, lists of facts, folds, marks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telemetry.reports.html.markup import Content, Html, join, tag
from telemetry.reports.html.scale import usable
from telemetry.reports.wording import cut, duration, value_text

_LONGEST_VALUE: Final = 300
_LONGEST_TIME: Final = 60
NOTHING: Final = tag("span", "–", class_="nothing")  # noqa: RUF001 - a dash for an empty cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a page; `short` is how the table of contents calls it."""

    id: str
    title: str
    short: str
    body: Html

    @property
    def html(self) -> Html:
        """The section as markup."""
        name = f"{self.id}-title"
        heading = tag("h2", self.title, id=name)
        return tag("section", heading, self.body, id=self.id, aria_labelledby=name)


def section(id_: str, title: str, *body: Content, short: str = "") -> Section:
    """Return a section of a page."""
    return Section(id=id_, title=title, short=short or title, body=join(body))


def contents(sections: Iterable[Section]) -> Html:
    """Return the table of contents, which a narrow screen folds away."""
    entries = (tag("li", tag("a", one.short, href=f"#{one.id}")) for one in sections)
    folds = tag("details", tag("summary", "Contents"), tag("ol", entries), open=True)
    return tag("nav", folds, aria_label="Contents", class_="contents")


def table(
    headings: Sequence[str],
    rows: Iterable[Html],
    *,
    label: str,
    class_: str = "",
    id_: str | None = None,
) -> Html:
    """Return a table that scrolls in itself where it is wider than the page."""
    head = tag("thead", tag("tr", (tag("th", one, scope="col") for one in headings)))
    body = tag("table", head, tag("tbody", rows, id=id_), class_=class_ or None)
    return tag("div", body, class_="scroll", role="region", aria_label=label, tabindex=0)


def row(name: Content, *cells: Content, class_: str | None = None, **data: str) -> Html:
    """Return a row of a table, headed by its first cell."""
    head = tag("th", name, scope="row")
    return tag("tr", head, (tag("td", cell) for cell in cells), class_=class_, **data)


def facts(pairs: Iterable[tuple[str, Content]], *, long: bool = False) -> Html:
    """Return a list of facts, those that have a value; each on a line where they are `long`."""
    shown = ((name, value) for name, value in pairs if value not in ("", None))
    return tag(
        "dl",
        (tag("div", tag("dt", name), tag("dd", value)) for name, value in shown),
        class_="facts long" if long else "facts",
    )


def fold(summary: Content, *body: Content, opened: bool = False, class_: str = "fold") -> Html:
    """Return what folds out under its summary."""
    return tag("details", tag("summary", summary), body, open=opened, class_=class_)


def mark(word: str, mood: str) -> Html:
    """Return a word set off by colour; the word alone says it too."""
    return tag("span", word, class_=f"mark {mood}")


def value(given: Any, longest: int = _LONGEST_VALUE) -> Html:
    """Return a snapshotted value, cut where it is very long."""
    return tag("code", value_text(given, longest), class_="value")


def moment(at: str) -> Content:
    """Return an ISO time as people read it, to the microsecond."""
    if not at:
        return NOTHING
    at = cut(at, _LONGEST_TIME)
    day, _, clock = at.partition("T")
    text = f"{day} {clock.removesuffix('Z')} UTC" if clock.endswith("Z") else at
    return tag("time", text, datetime=at)


def first_upper(sentence: str) -> str:
    """Return a sentence as it stands by itself."""
    return f"{sentence[:1].upper()}{sentence[1:]}"


def muted(*said: Content) -> Html:
    """Return a quiet paragraph."""
    return tag("p", said, class_="muted")


def first_of(things: Sequence[Any], most: int, what: str) -> tuple[Sequence[Any], Html | None]:
    """Return as many as are shown, and a word about the others where there are any."""
    left = len(things) - most
    if left <= 0:
        return things, None
    return things[:most], more(left, what)


def more(count: int, what: str) -> Html:
    """Say how many are left out, and where they are."""
    return muted(f"{count:,} more {what} are not shown here; ", tag("code", "--json"), " has them.")


def lasted(ms: float) -> str:
    """Write a duration; one that no clock can have measured is said to be unknown."""
    return duration(ms) if usable(ms) else "an unknown time"
