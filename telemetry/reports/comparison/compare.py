"""Two tasks side by side: whether they are alike, and where first they are not.

A pure function: the same cases give the same comparison. What counts as a difference that matters
is said in `significance` beside this, and how two courses are held against each other in
`divergence`.
"""

from collections.abc import Sequence

from telemetry.reports.case import Case
from telemetry.reports.comparison import rows
from telemetry.reports.comparison.alikeness import alike, caveats, sentence
from telemetry.reports.comparison.divergence import divergences
from telemetry.reports.comparison.params import LAYER, params
from telemetry.reports.comparison.side import compared, side
from telemetry.reports.comparison.timings import timings
from telemetry.reports.comparison.value import (
    ComparedFound,
    Comparison,
    ParamCompared,
    TimingCompared,
)


def compare(a: Case, b: Case) -> Comparison:
    """Compare the newest attempts at two tasks."""
    views = (compared(a), compared(b))
    lifecycle, crash = rows.lifecycle(views), rows.crash(views)
    decided = params(views)
    asked = rows.asked(views, {one.name for one in decided})
    given, taken, ran_on = rows.defaults(views), timings(views), rows.environment(views)
    matters = {
        name: found
        for name, found in (
            ("lifecycle", _names(lifecycle)),
            ("crash", _names(crash)),
            ("params", _names([one for one in decided if one.why != LAYER])),
            ("layers", _names([one for one in decided if one.why == LAYER])),
            ("asked", _names(asked)),
            ("defaults", _names(given)),
            ("environment", _names(ran_on)),
            ("timings", _names(taken)),
        )
        if found
    }
    parted = divergences(views[0].track, views[1].track)
    how = alike(views, parted, matters)
    return Comparison(
        alike=how,
        says=sentence(how, views, parted, matters),
        a=side(views[0]),
        b=side(views[1]),
        divergences=parted,
        caveats=caveats(views),
        matters=matters,
        lifecycle=lifecycle,
        crash=crash,
        asked=asked,
        params=decided,
        defaults=given,
        timings=taken,
        environment=ran_on,
    )


def _names(rows: Sequence[ComparedFound | ParamCompared | TimingCompared]) -> list[str]:
    return [one.name for one in rows if one.matters]
