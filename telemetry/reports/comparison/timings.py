"""How long two tasks took, part by part.

Only what went to its end in both is held against each other: how long something had been at work
when it failed says when it failed, and no more.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.comparison.side import Compared
from telemetry.reports.comparison.significance import longer, ratio_of
from telemetry.reports.comparison.value import TimingCompared
from telemetry.reports.endings import Endings

_LOAD: Final = names.engine("load")
_RESIDENT: Final = f"{names.ENGINE_RESULT}already_loaded"
_SUM: Final = "the sum of its parts"
_WAIT: Final = "what else was in the queue"
_MODEL: Final = "the model was resident in one of them"
_STAGE: Final = names.stage("")
_ENGINE: Final = names.engine("")
# How a span ended, and the milliseconds that it took, None without an end.
_Ended = tuple[str, float | None]


def timings(views: Sequence[Compared]) -> list[TimingCompared]:
    """Return the wait, the run, each stage and engine call, the loop and its steps."""
    rows = [view.row for view in views]
    waits = [_between(row.created, row.claimed) for row in rows]
    runs = [_between(row.claimed, row.returned) for row in rows]
    return [
        _compared("wait in the queue", waits, idle=_WAIT),
        _compared("claimed to returned", runs, idle=_SUM),
        *_named_spans(views),
        _compared("parameter loop", [_loop(view) for view in views]),
        _compared("slowest iteration", [_slowest(view) for view in views]),
        _compared("a denoising step", [_step(view) for view in views]),
    ]


def _named_spans(views: Sequence[Compared]) -> Iterator[TimingCompared]:
    told = [_spans(view.attempt) for view in views]
    residents = [_is_resident(view.attempt) for view in views]
    for name in dict.fromkeys([*told[0], *told[1]]):
        spans = [one.get(name, []) for one in told]
        taken = [_took(one) for one in spans]
        hows = [{how for how, _ in some} for some in spans]
        loads = name in (_LOAD, names.stage("model"))
        idle = _MODEL if loads and residents[0] != residents[1] else ""
        found = _compared(name, taken, idle=idle) if all(how <= {"ok"} for how in hows) else None
        yield found or _unended(name, taken, hows, views)


def _spans(attempt: Attempt | None) -> dict[str, list[_Ended]]:
    found: dict[str, list[_Ended]] = {}
    if attempt is None:
        return found
    endings = Endings.of(attempt)
    for span in attempt.spans:
        if span.name.startswith((_STAGE, _ENGINE)):
            end_ns = endings.end_ns(span)
            ms = None if end_ns is None else (end_ns - span.start_ns) / 1e6
            found.setdefault(span.name, []).append((endings.how(span), ms))
    return found


def _took(spans: Sequence[_Ended]) -> float | None:
    """Return how long spans took together; None where none has an end."""
    taken = [ms for _, ms in spans if ms is not None]
    return sum(taken) if taken else None


def _is_resident(attempt: Attempt | None) -> bool:
    loads = attempt.named(_LOAD) if attempt else []
    return any(one.attributes.get(_RESIDENT) is True for one in loads)


def _loop(view: Compared) -> float | None:
    """Return how long the whole loop took; None for one that did not come to its end."""
    loop = view.found.loop
    if view.attempt is None or not loop.total or loop.completed < loop.total:
        return None
    endings, spans = Endings.of(view.attempt), view.attempt.iterations
    ends = [end_ns for one in spans if (end_ns := endings.end_ns(one)) is not None]
    return (max(ends) - spans[0].start_ns) / 1e6 if ends else None


def _slowest(view: Compared) -> float | None:
    slowest = view.found.loop.slowest
    return slowest.ms if slowest else None


def _step(view: Compared) -> float | None:
    """Return how long a step took, on average."""
    taken = view.found.steps.ms
    return sum(taken) / len(taken) if taken else None


def _between(first: str, last: str) -> float | None:
    """Return the milliseconds between two times; None where one of them is not known."""
    try:
        began, ended = (datetime.fromisoformat(one) for one in (first, last))
        return (ended - began).total_seconds() * 1000
    except (ValueError, TypeError):
        return None


def _compared(name: str, taken: Sequence[float | None], *, idle: str = "") -> TimingCompared:
    a, b = taken
    if a is None or b is None:
        return TimingCompared(name=name, a_ms=a, b_ms=b, ratio=None)
    differs = longer(a, b)
    return TimingCompared(
        name=name,
        a_ms=a,
        b_ms=b,
        ratio=ratio_of(a, b),
        matters=differs and not idle,
        why=idle if differs else "",
    )


def _unended(
    name: str, taken: Sequence[float | None], hows: Sequence[set[str]], views: Sequence[Compared]
) -> TimingCompared:
    """Tell of what did not come to its end, or whose end is not in the record.

    Of a record with holes only a failure is known to be the end that there was.
    """
    sides = zip("AB", hows, views, strict=True)
    short = [(side, how, view.whole) for side, how, view in sides if how - {"ok"}]
    known = [
        side
        for side, how, whole in short
        if how <= {"ok", "failed"} or (whole and "unknown" not in how)
    ]
    others = [side for side, _, _ in short if side not in known]
    said = [f"not to its end in {' and '.join(known)}"] if known else []
    said += [f"no end of it in the record of {' and '.join(others)}"] if others else []
    a, b = taken
    return TimingCompared(name=name, a_ms=a, b_ms=b, ratio=None, why=", ".join(said))
