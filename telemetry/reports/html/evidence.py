"""What the record holds and lacks, what it says of the usual suspects, moment by moment."""

from collections.abc import Sequence
from typing import Final

from telemetry.reports.findings import CompletenessFound, HypothesisFound
from telemetry.reports.html.markup import Content, Html, tag
from telemetry.reports.html.parts import (
    NOTHING,
    Section,
    facts,
    first_of,
    lasted,
    mark,
    moment,
    muted,
    row,
    section,
    table,
)
from telemetry.reports.moments import MomentFound
from telemetry.reports.wording import cut

_MOST_GAPS: Final = 100
_MOST_UNKNOWN: Final = 20
_MOST_CAUSES: Final = 60
_MOST_MOMENTS: Final = 400
_LONGEST: Final = 400
# Colour and sign of each verdict; the word always stands beside them.
_VERDICTS: Final = {
    "confirmed": ("bad", "\N{CHECK MARK}"),
    "ruled out": ("good", "\N{MULTIPLICATION X}"),
    "not decidable": ("open", "?"),
}
_FAILURES: Final = ("failure", "handled")


def completeness(found: CompletenessFound) -> Section:
    """Return what arrived of the record, in numbers."""
    figures: list[tuple[str, int, bool]] = [
        ("spans begun", found.begun, False),
        ("ended by their process", found.arrived, False),
        ("cut off", found.cut_off, found.cut_off > 0),
        ("still open", found.open, False),
        ("without an end in it", found.unended, found.unended > 0),
        ("records missing", found.lost, found.lost > 0),
        ("bytes damaged", found.damaged_bytes, found.damaged_bytes > 0),
    ]
    tiles = (
        tag("div", tag("dt", name), tag("dd", f"{count:,}"), class_="bad" if bad else None)
        for name, count, bad in figures
    )
    return section(
        "record",
        "Completeness of the record",
        tag(
            "p",
            tag("strong", "\N{CHECK MARK}" if found.complete else "\N{WARNING SIGN}"),
            " ",
            cut(found.says, _LONGEST),
            class_="good" if found.complete else "bad",
        ),
        tag("dl", tiles, class_="tiles"),
        facts([("Source", cut(found.source, _LONGEST))], long=True),
        _gaps(found),
        _unknown(found.unknown),
        short="Completeness",
    )


def _gaps(found: CompletenessFound) -> Content:
    if not found.gaps:
        return None
    shown, word = first_of(found.gaps, _MOST_GAPS, "gaps")
    rows = [
        row(tag("code", cut(gap.process, 120)), f"{gap.first:,}", f"{gap.last:,}",
            f"{gap.last - gap.first + 1:,}")
        for gap in shown
    ]  # fmt: skip
    listed = table(["Process", "From record", "To record", "Missing"], rows, label="Gaps")
    return tag("h3", "Gaps"), listed, word


def _unknown(sentences: Sequence[str]) -> Content:
    if not sentences:
        return None
    listed = tag("ul", (tag("li", cut(one, _LONGEST)) for one in sentences[:_MOST_UNKNOWN]))
    return tag("h3", "What this source cannot know"), listed


def hypotheses(found: Sequence[HypothesisFound]) -> Section:
    """Return the verdict on each cause that people would suspect."""
    if not found:
        none = muted("There is nothing to suspect a cause of.")
        return section("causes", "Possible causes", none)
    shown, word = first_of(found, _MOST_CAUSES, "causes")
    said = muted("Each verdict is computed from the record; what it cannot decide stays open.")
    listed = tag("dl", map(_hypothesis, shown), class_="verdicts")
    return section("causes", "Possible causes", said, listed, word)


def _hypothesis(one: HypothesisFound) -> Html:
    mood, sign = _VERDICTS.get(one.verdict, ("open", "?"))
    return tag(
        "div",
        tag("dt", cut(one.name, 120), " ", mark(f"{sign} {cut(one.verdict, 40)}", mood)),
        tag("dd", cut(one.evidence, _LONGEST)),
    )


def around(moments: Sequence[MomentFound], *, failed: bool) -> Section:
    """Return the records around the failure, each to the microsecond."""
    title = "Moments around the failure" if failed else "The last moments"
    if not moments:
        none = muted("No record is around it.")
        return section("moments", title, none, short="Moments")
    shown, word = first_of(moments, _MOST_MOMENTS, "moments")
    headings = ["From the failure" if failed else "From the end", "Time", "What", "Said", "By"]
    listed = table(headings, map(_moment, shown), label=title, class_="moments")
    return section("moments", title, listed, word, short="Moments")


def _moment(one: MomentFound) -> Html:
    failed = one.kind in _FAILURES
    return row(
        tag("span", _offset(one.offset_ms), class_="figure"),
        moment(one.at),
        mark(cut(one.kind, 40), "bad" if failed else "quiet"),
        tag("span", cut(one.text, _LONGEST), class_="said"),
        cut(one.process, 80) or NOTHING,
        class_="failing" if one.kind == "failure" else None,
    )


def _offset(ms: float) -> str:
    if not ms:
        return "0"
    sign = "\N{MINUS SIGN}" if ms < 0 else "+"
    return f"{sign}{lasted(abs(ms))}"
