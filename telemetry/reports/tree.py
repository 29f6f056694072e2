"""Draws a trace as a tree with times, for a terminal or as plain text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.console import Group
from rich.text import Text

from telemetry import names
from telemetry.records import Error, SpanKind
from telemetry.reports.endings import Endings
from telemetry.reports.reach import tail_missing
from telemetry.reports.trace import TraceModel
from telemetry.spans import Span

# Repeated many times in a row: shown as one line, unless all is asked for.
_REPEATED: Final = (names.LOOP_ITERATION, names.DENOISE_STEP)
_FEWEST_COLLAPSED: Final = 3
_TIMES_WIDTH: Final = 24
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_SHOWN: Final = {
    names.TASK_ID: "task ",
    names.TASK_ATTEMPT: "attempt ",
    names.TASK_OUTCOME: "",
    names.ENGINE_MODEL: "",
    names.STEP_PHASE: "phase ",
    names.PARAM_KEY: "",
}
# What is said of a span that did not end well, and how the line looks.
_ENDED: Final = {
    "failed": ("ERROR", "error"),
    "cut off": ("cut off", "error"),
    "open": ("open", "open"),
    "unknown": ("its end is not in the record", "open"),
    "ok": ("", ""),
}
_STYLES: Final = {"error": "red", "open": "yellow", "quiet": "dim", "": "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: times on the left, branches, a span's name, what else is to say of it."""

    times: str
    branch: str
    name: str
    detail: str = ""
    mood: str = ""  # "error", "open", "quiet" or ""

    @property
    def plain(self) -> str:
        """The line as text."""
        parts = (self.name, self.detail)
        return f"{self.times:<{_TIMES_WIDTH}}{self.branch}{'  '.join(filter(None, parts))}".rstrip()

    @property
    def styled(self) -> Text:
        """The line for a terminal with colours; what went wrong is folded, never cut."""
        text = Text(
            no_wrap=self.mood != "error", overflow="fold" if self.mood == "error" else "ellipsis"
        )
        text.append(f"{self.times:<{_TIMES_WIDTH}}{self.branch}", style="dim")
        text.append(self.name, style=_STYLES[self.mood])
        return text.append(f"  {self.detail}", style="dim") if self.detail else text


def plain(model: TraceModel, *, everything: bool = False) -> str:
    """Return the tree as text; `everything` shows each iteration and step."""
    return "\n".join([*heading(model), "", *(line.plain for line in lines(model, everything))])


def renderable(model: TraceModel, *, everything: bool = False) -> Group:
    """Return the tree for a rich console; `everything` shows each iteration and step."""
    said = [
        Text(sentence, style="bold" if not n else "") for n, sentence in enumerate(heading(model))
    ]
    return Group(*said, Text(""), *(line.styled for line in lines(model, everything)))


def heading(model: TraceModel) -> list[str]:
    """Say what the trace is, and whether its record is complete."""
    endings = Endings.of_trace(model)
    ended = Counter(endings.how(span) for span in model.spans)
    counts = [f"{model.begun} spans", f"{model.ended} ended"]
    counts += [f"{ended['open']} open"] if ended["open"] else []
    counts += [f"{ended['cut off']} cut off by a death"] if ended["cut off"] else []
    counts += [f"{ended['unknown']} without an end in the record"] if ended["unknown"] else []
    tasks = _count(len(model.task_ids), "task")
    processes = _count(len(model.processes), "process", "processes")
    return [f"trace {model.trace_id}", f"{tasks}, {processes}; {', '.join(counts)}", _record(model)]


def lines(model: TraceModel, everything: bool = False) -> list[Line]:  # noqa: FBT001, FBT002 - as in `plain`
    """Return the tree line by line; offsets count from the start of the first span."""
    spans = model.spans
    if not spans:
        return []
    tree = _Tree(model, spans, everything=everything)
    return [*tree.walk(tree.roots, "", root=True), *tree.loose_errors()]


def duration(nanoseconds: float) -> str:
    """Write a duration in the unit that suits it."""
    seconds = nanoseconds / 1e9
    if seconds >= 60:  # noqa: PLR2004 - a minute
        return f"{int(seconds // 60)} min {seconds % 60:04.1f} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.001:  # noqa: PLR2004 - a millisecond
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e6:.0f} µs"


class _Tree:
    def __init__(self, model: TraceModel, spans: Sequence[Span], *, everything: bool) -> None:
        self._zero_ns = spans[0].start_ns
        self._everything = everything
        self._endings = Endings.of_trace(model)
        ids = {span.span_id for span in spans}
        self.roots = [span for span in spans if span.parent_id not in ids]
        self._children: dict[bytes | None, list[Span]] = {}
        for span in spans:
            self._children.setdefault(span.parent_id, []).append(span)
        self._errors: dict[bytes | None, list[Error]] = {}
        for error in model.errors:
            known = error.span_id if error.span_id in ids else None
            self._errors.setdefault(known, []).append(error)

    def walk(self, siblings: Sequence[Span], indent: str, *, root: bool = False) -> Iterator[Line]:
        groups = list(self._grouped(siblings))
        for number, group in enumerate(groups):
            last = number == len(groups) - 1
            branch = "" if root else f"{indent}{'└─ ' if last else '├─ '}"
            below = "" if root else f"{indent}{'   ' if last else '│  '}"
            if len(group) > 1:
                yield self._collapsed(group, branch)
                continue
            yield self._line(group[0], branch)
            children = self._children.get(group[0].span_id, [])
            for error in self._errors.get(group[0].span_id, ()):
                yield from _error_lines(error, below + ("│  " if children else "   "))
            yield from self.walk(children, below)

    def loose_errors(self) -> Iterator[Line]:
        for error in self._errors.get(None, ()):
            yield from _error_lines(error, "")

    def _grouped(self, siblings: Sequence[Span]) -> Iterator[list[Span]]:
        """Put together what is repeated in a row and uneventful."""
        for key, run in groupby(siblings, self._group_key):
            spans = list(run)
            if key and len(spans) >= _FEWEST_COLLAPSED:
                yield spans
            else:
                yield from ([span] for span in spans)

    def _group_key(self, span: Span) -> str:
        uneventful = (
            span.name in _REPEATED
            and self._endings.how(span) == "ok"
            and span.span_id not in self._errors
            and not self._everything
        )
        return span.name if uneventful else ""

    def _collapsed(self, spans: Sequence[Span], branch: str) -> Line:
        total = sum(span.duration_ns or 0 for span in spans)
        slowest = max(spans, key=lambda span: span.duration_ns or 0)
        which = slowest.attributes.get(names.PARAM_KEY) or _position(slowest)
        first, last = _position(spans[0]), _position(spans[-1])
        detail = f"slowest {duration(slowest.duration_ns or 0)} {which}".rstrip()
        return Line(
            times=self._times(spans[0].start_ns, total),
            branch=branch,
            name=f"{len(spans)} {_TIMES} {spans[0].name}",
            detail=f"{first} to {last}, {detail}" if last else detail,
            mood="quiet",
        )

    def _line(self, span: Span, branch: str) -> Line:
        said, mood = _ENDED[self._endings.how(span)]
        end_ns = self._endings.end_ns(span)
        return Line(
            times=self._times(span.start_ns, None if end_ns is None else end_ns - span.start_ns),
            branch=branch,
            name=span.name,
            detail=", ".join(filter(None, [*_facts(span), said])),
            mood=mood,
        )

    def _times(self, start_ns: int, took_ns: int | None) -> str:
        offset = f"+{(start_ns - self._zero_ns) / 1e9:.3f}"
        return f"{offset:>10}  {'…' if took_ns is None else duration(took_ns):>10}"


def _facts(span: Span) -> Iterator[str]:
    if span.kind != SpanKind.INTERNAL:
        yield SpanKind(span.kind).name.lower()
    if position := _position(span):
        yield position
    for key, label in _SHOWN.items():
        if (value := span.attributes.get(key)) is not None:
            yield f"{label}{value}"
    if names.PARAM_NEW in span.attributes:
        yield f"= {span.attributes[names.PARAM_NEW]}"


def _position(span: Span) -> str:
    pairs = ((names.LOOP_INDEX, names.LOOP_COUNT), (names.STEP_INDEX, names.STEP_COUNT))
    for index, count in pairs:
        if index in span.attributes:
            return f"[{span.attributes[index]}/{span.attributes.get(count, '?')}]"
    return ""


def _error_lines(error: Error, branch: str) -> Iterator[Line]:
    handled = " (handled)" if error.handled else ""
    said = f"✗ {error.type}: {error.message}{handled}"
    yield Line(times="", branch=branch, name=said, mood="error")
    if error.file:
        yield Line(times="", branch=branch, name=f"  {error.where}", mood="error")


def _record(model: TraceModel) -> str:
    faults = []
    if model.missing:
        verb = "is" if model.missing == 1 else "are"
        faults.append(f"{_count(model.missing, 'record')} {verb} missing")
    if model.damaged_bytes:
        faults.append(f"{_count(model.damaged_bytes, 'byte')} of the journal cannot be read")
    if cut := sum(map(tail_missing, model.processes)):
        faults.append(f"the tail of {_count(cut, 'process', 'processes')} is missing")
    return f"the record is incomplete: {', '.join(faults)}" if faults else "the record is complete"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
