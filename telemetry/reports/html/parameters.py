"""Every parameter with its layer, searchable; the model, its defaults and its LoRAs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.reports.findings import DefaultsFound, Investigation, ModelFound, ParamFound
from telemetry.reports.html.markup import Content, Html, breakable, join, tag
from telemetry.reports.html.parts import (
    NOTHING,
    Section,
    facts,
    first_of,
    fold,
    mark,
    muted,
    row,
    section,
    table,
    value,
)
from telemetry.reports.wording import cut

_MOST: Final = 600
_MOST_DEFAULTS: Final = 300
_LONGEST: Final = 160
_ROWS: Final = "parameter-rows"
_UNDECIDED: Final = "not decided"


def parameters(params: Sequence[ParamFound]) -> Section:
    """Return the parameters; without a script all are shown and the filter is not."""
    if not params:
        none = muted("No parameter is recorded.")
        return section("parameters", "Parameters", none)
    shown, word = first_of(params, _MOST, "parameters")
    headings = ["Parameter", "Used", "Asked", "Model default", "Layer"]
    rows = [_param(one) for one in shown]
    changed = sum(_changed(one) for one in params)
    said = f"{len(params):,} parameters; {changed:,} differ from the model's default."
    listed = table(headings, rows, label="Parameters", class_="parameters", id_=_ROWS)
    none = tag("p", "No parameter fits.", class_="muted", id="parameters-none", hidden=True)
    return section("parameters", "Parameters", muted(said), _filter(shown), listed, none, word)


def _filter(params: Sequence[ParamFound]) -> Html:
    layers = Counter(_layer(one) for one in params)
    options = [
        tag("option", f"{cut(name, 60)} ({count:,})", value=cut(name, 60))
        for name, count in layers.most_common(40)
    ]
    return tag(
        "div",
        tag("label", "Search ", tag("input", type="search", id="parameters-search",
            placeholder="name, value or layer", autocomplete="off", spellcheck="false")),
        tag("label", "Layer ", tag("select", tag("option", "every layer", value=""), options,
            id="parameters-layer")),
        tag("label", tag("input", type="checkbox", id="parameters-changed"), " changed only"),
        tag("output", f"{len(params):,} of {len(params):,}", id="parameters-count",
            for_="parameters-search parameters-layer", aria_live="polite"),
        class_="filter",
        id="parameters-filter",
        hidden=True,
    )  # fmt: skip


def _param(one: ParamFound) -> Html:
    asked: Content = NOTHING if one.asked is None else value(one.asked, _LONGEST)
    marks: list[Content] = []
    if _changed(one):
        marks.append(mark("changed", "accent"))
    if one.asked is not None and one.asked != one.value and one.source:
        marks.append(mark("not as asked", "open"))
    return row(
        (tag("code", cut(one.name, 80)), " ", marks),
        value(one.value, _LONGEST) if one.source else mark(_UNDECIDED, "open"),
        asked,
        value(one.default, _LONGEST),
        cut(_layer(one), 60),
        class_="changed" if _changed(one) else None,
        data_layer=cut(_layer(one), 60),
    )


def _layer(one: ParamFound) -> str:
    return one.source or _UNDECIDED


def _changed(one: ParamFound) -> bool:
    # What the model itself says outside of its defaults has none to differ from.
    has_default = one.default is not None or one.source not in ("model", "system")
    return bool(one.source) and has_default and one.value != one.default


def model(found: Investigation) -> Section:
    """Return what was generated with, and the model's defaults as the engine gave them."""
    return section(
        "model",
        "Model and its defaults",
        _model(found.model),
        tag("h3", "Defaults"),
        _defaults(found.defaults),
        short="Model",
    )


def _model(given: ModelFound) -> Content:
    def number(count: int | None) -> str | None:
        return None if count is None else f"{count:,}"

    pairs: list[tuple[str, Content]] = [
        ("Model", tag("code", breakable(cut(given.name, 200))) if given.name else None),
        ("Engine", cut(given.engine, 200)),
        ("Resolution", cut(given.resolution, 60)),
        ("Frames", number(given.frames)),
        ("Steps", number(given.steps)),
        ("Phases", number(given.phases)),
        *(
            (cut(name, 60), value(one, _LONGEST))
            for name, one in list(given.key_params.items())[:30]
        ),
    ]
    return facts(pairs), _loras(given), _phase_config(given.phase_config)


def _loras(given: ModelFound) -> Content:
    if not given.loras:
        return None
    shown, word = first_of(given.loras, 60, "LoRAs")
    rows = [
        row(tag("code", cut(one.name, 120)), tag("code", cut(one.multiplier, 80))) for one in shown
    ]
    listed = table(["LoRA", "Multiplier"], rows, label="LoRAs")
    return tag("h3", "LoRAs"), listed, word


def _phase_config(config: Mapping[str, Any]) -> Content:
    if not config:
        return None
    return tag("h3", "Phase config, as it was asked"), _values(config, "Key")


def _values(values: Mapping[str, Any], heading: str) -> Html:
    shown, word = first_of(list(values.items()), _MOST_DEFAULTS, "values")
    rows = [row(tag("code", cut(name, 80)), value(one, _LONGEST)) for name, one in shown]
    return join((table([heading, "Value"], rows, label=f"{heading}s"), word))


def _defaults(given: DefaultsFound) -> Content:
    if not given.call and not given.values:
        return muted("The record does not hold the model's defaults.")
    before, after = given.digest_before, given.digest_after
    if before and before == after:
        verdict = mark("the same before and after the loop", "good")
    elif before and after:
        verdict = mark("changed during the loop", "bad")
    else:
        verdict = mark("not known for both ends of the loop", "open")
    pairs: list[tuple[str, Content]] = [
        ("Call", tag("code", cut(given.call, 200)) if given.call else None),
        ("Type", tag("code", cut(given.type, 120)) if given.type else None),
        ("Count", f"{given.count:,}"),
        ("Digest", verdict),
        ("Before", tag("code", cut(before, 80)) if before else None),
        ("After", tag("code", cut(after, 80)) if after else None),
    ]
    folded = (
        fold(f"{len(given.values):,} values", _values(given.values, "Default"))
        if given.values
        else None
    )
    return facts(pairs, long=True), folded
