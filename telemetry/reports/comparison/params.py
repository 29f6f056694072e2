"""The parameters of two tasks where they ended: value and type, and the layer that decided."""

from collections.abc import Sequence
from typing import Final

from telemetry.reports.comparison.side import Compared
from telemetry.reports.comparison.significance import hidden, impersonal, same, type_name
from telemetry.reports.comparison.value import SIDES, ParamCompared, ParamSide, Side
from telemetry.reports.findings import ParamFound

LAYER: Final = "layer"  # how one differs that has the same value from another layer
_HIDDEN: Final = "it is hidden in the record"


def params(views: Sequence[Compared]) -> list[ParamCompared]:
    """Hold every parameter of one against that of the other, in the order of the loop."""
    given = [{one.name: one for one in view.found.params} for view in views]
    return [
        _compared(name, given[0].get(name), given[1].get(name), views)
        for name in dict.fromkeys([*given[0], *given[1]])
    ]


def _compared(
    name: str, a: ParamFound | None, b: ParamFound | None, views: Sequence[Compared]
) -> ParamCompared:
    unknown = [
        one
        for one, param, view in zip(SIDES, (a, b), views, strict=True)
        if _is_unknown(param, view)
    ]
    why, matters = ("", False) if unknown else _how(a, b, views)
    if why == _HIDDEN:
        return _made(name, a, b, why=why, unknown=list(SIDES))
    return _made(name, a, b, why=why, unknown=unknown, differs=bool(why), matters=matters)


def _is_unknown(param: ParamFound | None, view: Compared) -> bool:
    """Whether a parameter may have been decided without the record saying so."""
    return (param is None or not param.source) and not view.whole


def _how(a: ParamFound | None, b: ParamFound | None, views: Sequence[Compared]) -> tuple[str, bool]:
    """Say how a parameter differs, "" where it does not, and whether that matters."""
    if a is None or b is None:
        has, lacks = ("A", 1) if b is None else ("B", 0)
        if _came_so_far(views[lacks]):
            return f"of {has} alone", True
        return f"{'AB'[lacks]} did not come so far", False
    if undecided := [side for side, one in zip("AB", (a, b), strict=True) if not one.source]:
        return ("" if len(undecided) > 1 else f"not decided in {undecided[0]}"), False
    return _how_decided(a, b, views)


def _how_decided(a: ParamFound, b: ParamFound, views: Sequence[Compared]) -> tuple[str, bool]:
    values = [impersonal(one.value, view.row) for one, view in zip((a, b), views, strict=True)]
    if any(map(hidden, values)):
        return _HIDDEN, False
    if not same(*values):
        types = [type_name(value) for value in values]
        return ("value" if types[0] == types[1] else f"type {types[0]}, {types[1]}"), True
    if a.source != b.source:
        return LAYER, True
    return ("" if same(a.asked, b.asked) else "asked: the same was used"), False


def _came_so_far(view: Compared) -> bool:
    loop = view.found.loop
    return bool(loop.total) and loop.completed >= loop.total


def _made(
    name: str,
    a: ParamFound | None,
    b: ParamFound | None,
    *,
    why: str,
    unknown: list[Side],
    differs: bool = False,
    matters: bool = False,
) -> ParamCompared:
    return ParamCompared(
        name=name,
        a=_side(a),
        b=_side(b),
        unknown=unknown,
        differs=differs,
        matters=matters,
        why=why,
    )


def _side(param: ParamFound | None) -> ParamSide | None:
    if param is None:
        return None
    return ParamSide(
        value=param.value,
        type=type_name(param.value) if param.source else "",
        asked=param.asked,
        default=param.default,
        source=param.source,
    )
