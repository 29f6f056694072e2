"""The stack, the innermost frame first, each frame folding out to its locals and its source."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from telemetry.recorder.own_code import own_caller
from telemetry.reports.findings import ExceptionFound, FailureFound, FrameFound
from telemetry.reports.html.markup import Content, Html, join, tag
from telemetry.reports.html.parts import (
    Section,
    first_upper,
    fold,
    mark,
    more,
    muted,
    row,
    section,
    table,
    value,
)
from telemetry.reports.html.source import listing
from telemetry.reports.sentences import no_stack, other_exceptions, relation_text
from telemetry.reports.wording import cut

_INNERMOST: Final = 40
_OUTERMOST: Final = 10
_MOST_LOCALS: Final = 80
_MOST_CHAINED: Final = 10
# Characters of values in all frames together: what is beyond is named, not shown.
_ALLOWANCE: Final = 150_000
_LONGEST_VALUE: Final = 400


class Allowance:
    """How many characters of values may still be shown, so that a page stays one to open."""

    def __init__(self, characters: int = _ALLOWANCE) -> None:
        self._left = characters

    def spend(self, characters: int) -> bool:
        """Take characters; False where too few are left."""
        self._left -= characters
        return self._left >= 0


def sections(failure: FailureFound) -> list[Section]:
    """Return the stack, and the chain of exceptions where there is more than one."""
    allowance = Allowance()
    found = [_stack(failure, allowance)]
    if len(failure.chain) > 1 or other_exceptions(failure):
        found.append(_chain(failure.chain, failure.frames, allowance))
    return found


def _stack(failure: FailureFound, allowance: Allowance) -> Section:
    if not failure.frames:
        none = muted(first_upper(no_stack(failure)))
        return section("stack", "Stack and locals", none, short="Stack")
    said = muted("Innermost frame first, with the locals it had. Folded frames open on a click.")
    frames = list(_folds(failure.frames, failure.expression, allowance))
    buttons = tag(
        "p",
        tag("button", "Open all", type="button", data_fold="open"),
        " ",
        tag("button", "Fold all", type="button", data_fold="close"),
        class_="buttons",
        hidden=True,
    )
    body = tag("div", frames, class_="frames")
    return section("stack", "Stack and locals", said, buttons, body, short="Stack")


def _folds(
    frames: Sequence[FrameFound], expression: str, allowance: Allowance
) -> Iterator[Content]:
    inward = list(reversed(frames))
    left = len(inward) - _INNERMOST - _OUTERMOST
    own = own_caller(frames)
    for number, frame in enumerate(inward):
        if left > 0 and number == _INNERMOST:
            yield more(left, "frames in between")
        if left <= 0 or not _INNERMOST <= number < _INNERMOST + left:
            given = expression if number == 0 else ""
            yield _frame(frame, given, allowance, opened=number == 0 or frame is own)


def _frame(frame: FrameFound, expression: str, allowance: Allowance, *, opened: bool) -> Html:
    summary = (
        tag("code", cut(frame.function, 120), class_="function"),
        " ",
        tag("span", f"{cut(frame.file, 200)}:{frame.line}", class_="file"),
        None if frame.in_app else mark("library", "quiet"),
    )
    source = listing(frame, expression) if frame.source else muted("No source was recorded.")
    return fold(
        summary, source, _locals(frame.locals, allowance), opened=opened,
        class_="fold frame" if frame.in_app else "fold frame library",
    )  # fmt: skip


def _locals(known: dict[str, Any], allowance: Allowance) -> Html:
    if not known:
        return muted("No locals.")
    rows = []
    for name, given in list(known.items())[:_MOST_LOCALS]:
        shown = value(given, _LONGEST_VALUE)
        if not allowance.spend(len(name) + len(shown)):
            break
        quick = class_of(given)
        rows.append(row(tag("code", cut(name, 120)), shown, class_=quick))
    left = len(known) - len(rows)
    word = more(left, "locals") if left else None
    return join((table(["Local", "Value"], rows, label="Locals", class_="locals"), word))


def class_of(given: Any) -> str | None:
    """Return the class of a row whose value is nothing: such values are what one looks for."""
    return "empty" if given is None or given == "" else None


def _chain(
    chain: Sequence[ExceptionFound], shown: Sequence[FrameFound], allowance: Allowance
) -> Section:
    links = [
        tag(
            "li",
            tag("p", mark(relation_text(one.relation), "quiet")),
            tag("p", tag("strong", cut(one.type, 120)), " ", cut(one.message, 600)),
            _chained(one, shown, allowance),
        )
        for one in chain[:_MOST_CHAINED]
    ]
    left = len(chain) - len(links)
    word = more(left, "exceptions") if left else None
    return section(
        "chain", "Chain of exceptions", tag("ol", links, class_="trail"), word, short="Exceptions"
    )


def _chained(one: ExceptionFound, shown: Sequence[FrameFound], allowance: Allowance) -> Content:
    if one.frames == list(shown):
        return muted("Its frames are those above.")
    if not one.frames:
        return muted("No frames.")
    frames = list(_folds(one.frames, "", allowance))
    return fold(f"{len(one.frames)} frames", tag("div", frames, class_="frames"))
