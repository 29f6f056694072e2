"""What two tasks were and ran on, how they ended, and their model's defaults, line by line."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from telemetry import names
from telemetry.reports import differences
from telemetry.reports.comparison.side import OVER, Compared
from telemetry.reports.comparison.significance import hidden, impersonal, same, type_name
from telemetry.reports.comparison.value import SIDES, ComparedFound, Side
from telemetry.reports.endings import Endings
from telemetry.reports.findings import FailureFound
from telemetry.reports.parameters import asked_params, value_of
from telemetry.reports.places import place_text
from telemetry.reports.progress import moment
from telemetry.reports.wording import duration

_IDS: Final = "differs between any two tasks"
_TIME: Final = "a time of day"
_LOAD: Final = names.engine("load")
_PROCESS: Final = frozenset({"pid", "supervisor_pid", "worker_id"})


def compared_row(
    name: str,
    pair: tuple[Any, Any],
    views: Sequence[Compared],
    *,
    unknown: Sequence[Side] = (),
    idle: str = "",
) -> ComparedFound:
    """Hold two values against each other.

    Args:
        name: What they are.
        pair: The values of a and b.
        views: The tasks that they are of: their own ids are no difference.
        unknown: The sides that do not know.
        idle: Why a difference would not matter; "" where it does.
    """
    a, b = pair
    if not idle:
        a, b = (impersonal(value, view.row) for value, view in zip(pair, views, strict=True))
    is_hidden = hidden(a) or hidden(b)
    sides = list(unknown) or (list(SIDES) if is_hidden else [])
    differs = not sides and not same(a, b)
    why = idle if differs else "it is hidden in the record" if is_hidden else ""
    return ComparedFound(
        name=name,
        a=pair[0],
        b=pair[1],
        unknown=sides,
        differs=differs,
        matters=differs and not idle,
        why=why,
    )


def lifecycle(views: Sequence[Compared]) -> list[ComparedFound]:
    """Return what became of both, from the queue to their end.

    What is not told is unknown, and what did not happen is None.
    """

    def told(name: str, values: Sequence[Any], idle: str) -> ComparedFound:
        unknown = [one for one, value in zip(SIDES, values, strict=True) if value == ""]
        return compared_row(name, _pair(values), views, unknown=unknown, idle=idle)

    rows = [view.row for view in views]
    ended = all(view.over for view in views)
    loads = [_load(view) for view in views]
    return [
        told("type", [row.type for row in rows], ""),
        told("status", [row.status for row in rows], "" if ended else "not both are over"),
        told("attempt", [row.attempt for row in rows], "how often it was tried"),
        told("created", [row.created for row in rows], _TIME),
        told("claimed", [_at(row.claimed, row.status != "Queued") for row in rows], _TIME),
        told("model load", [load[0] for load in loads], "which of them came first to the model"),
        told("model loaded", [load[1] for load in loads], _TIME),
        told("failed", [_failed_at(view) for view in views], _TIME),
        told("returned", [_at(row.returned, row.status in OVER) for row in rows], _TIME),
        told("worker", [_at(row.worker, row.status != "Queued") for row in rows], _IDS),
    ]


def _at(told: str, happened: bool) -> str | None:  # noqa: FBT001 - read as "at, if it happened"
    return told or ("" if happened else None)


def _failed_at(view: Compared) -> str | None:
    failure = view.found.failure
    return failure.at if failure else _at("", view.row.status == "Failed")


def crash(views: Sequence[Compared]) -> list[ComparedFound]:
    """Return how both ended: the failure of each, fact by fact; [] where neither failed."""
    failures = [view.found.failure for view in views]
    if not any(failures):
        return []
    told = [_of_failure(one) for one in failures]
    names = [name for name in told[0] if any(one[name] is not None for one in told)]
    found = [
        compared_row(name, (told[0][name], told[1][name]), views, unknown=_untold(name, views))
        for name in names
    ]
    return [*found, *_reached(views)]


def _untold(name: str, views: Sequence[Compared]) -> list[Side]:
    """Return the sides that failed without a word of this: a row keeps no values."""
    return [
        one
        for one, view in zip(SIDES, views, strict=True)
        if (view.found.failure is None and view.row.status == "Failed")
        or (name == "value" and view.found.failure and not view.found.failure.frames)
    ]


def _of_failure(failure: FailureFound | None) -> dict[str, Any]:
    if failure is None:
        return dict.fromkeys((*_FACTS, "value"))
    facts = {name: how(failure) for name, how in _FACTS.items()}
    first = failure.values[0] if failure.values else None
    return {**facts, "value": None if first is None else {first.name: _seen(first.value)}}


def _seen(value: Any) -> Any:
    """Return a value, of an object's snapshot its class: what is in it differs in every run."""
    return f"<{type_name(value)}>" if isinstance(value, Mapping) and "<class>" in value else value


_FACTS: Final[Mapping[str, Callable[[FailureFound], Any]]] = {
    "kind": lambda one: one.kind,
    "type": lambda one: one.type,
    "message": lambda one: one.message,
    "place": lambda one: place_text(one.location, one.place, one.own) or None,
    "stage": lambda one: one.stage or None,
    "expression": lambda one: one.expression or None,
    "signal": lambda one: one.signal or None,
    "exit code": lambda one: one.exit_code,
    "fingerprint": lambda one: one.fingerprint or None,
}


def _reached(views: Sequence[Compared]) -> Iterator[ComparedFound]:
    """Tell how far both came; a record with holes does not know it."""
    for name in ("loop", "steps"):
        texts, unknown = [], []
        for one, view in zip(SIDES, views, strict=True):
            reached = getattr(view.found, name)
            done = reached.total and reached.completed >= reached.total
            least = "" if view.whole or done else "at least "
            texts.append(
                f"{least}{reached.completed} of {reached.total}" if reached.total else None
            )
            if not (view.whole or done):
                unknown.append(one)
        if any(texts):
            yield compared_row(name, _pair(texts), views, unknown=unknown)


def asked(views: Sequence[Compared], decided: Collection[str]) -> list[ComparedFound]:
    """Return what the tasks asked for, as far as no parameter that was decided tells it better.

    Where either has no parameters on record, this is all that is known of it.
    """
    given = [asked_params(view.attempt, view.row) for view in views]
    both = all(view.found.params for view in views)
    found = []
    for name in dict.fromkeys([*given[0], *given[1]]):
        if name in decided and both:
            continue
        values = (given[0].get(name), given[1].get(name))
        unknown = [one for one, params in zip(SIDES, given, strict=True) if not params]
        idle = _IDS if name.endswith(("_id", "_ids", "_ref")) else ""
        found.append(compared_row(name, values, views, unknown=unknown, idle=idle))
    return found


def environment(views: Sequence[Compared]) -> list[ComparedFound]:
    """Return what both ran on."""
    told = [_ran_on(view) for view in views]
    idle = {"host": "what of a machine can decide a run is told by itself"}
    found = []
    for name in dict.fromkeys([*told[0], *told[1]]):
        values = [one.get(name) for one in told]
        unknown = [one for one, value in zip(SIDES, values, strict=True) if value is None]
        why = idle.get(name, _IDS if name in _PROCESS else "")
        found.append(compared_row(name, _pair(values), views, unknown=unknown, idle=why))
    return found


def _ran_on(view: Compared) -> dict[str, Any]:
    place, model = differences.environment(view.attempt), view.found.model
    told: dict[str, Any] = {
        "host": place.host,
        "loop26": place.loop26,
        "engine": model.engine,
        "model": model.name,
        **place.facts,
    }
    for call in view.attempt.named(_LOAD) if view.attempt else []:
        given = call.attributes
        for name in given:
            if name.startswith(names.ENGINE_PARAM) and not name.endswith(names.IS_NULL):
                told[name.removeprefix(names.ENGINE_PARAM)] = value_of(given, name)
    return {name: value for name, value in told.items() if value not in ("", None)}


def _load(view: Compared) -> tuple[str, str | None]:
    """Say how the model was loaded, and when it was."""
    calls = view.attempt.named(_LOAD) if view.attempt else []
    if view.attempt is None or not calls:
        return ("not asked for", None) if view.whole else ("", "")
    span = calls[-1]
    if span.attributes.get(f"{names.ENGINE_RESULT}already_loaded") is True:
        return "already resident", None
    how = Endings.of(view.attempt).how(span)
    if how == "unknown" or (how == "open" and not view.whole):
        return "", ""
    if span.end_ns is None or how != "ok":
        return {"open": "at work"}.get(how, how), None
    return f"took {duration((span.end_ns - span.start_ns) / 1e6)}", moment(span.end_ns)


def defaults(views: Sequence[Compared]) -> list[ComparedFound]:
    """Return how the model's defaults are built in both: keys, types and values, digests."""
    given = [view.found.defaults for view in views]
    found = []
    for name in ("call", "type", "count", "digest_before", "digest_after"):
        values = [getattr(one, name) or None for one in given]
        unknown = [one for one, value in zip(SIDES, values, strict=True) if value is None]
        called = name.replace("_", " ")
        found.append(compared_row(called, _pair(values), views, unknown=unknown))
    keys = dict.fromkeys([*given[0].values, *given[1].values])
    return [*found, *(_default(key, views) for key in keys)]


def _default(key: str, views: Sequence[Compared]) -> ComparedFound:
    given = [view.found.defaults for view in views]
    has = [key in one.values for one in given]
    # Of a loop that did not come to its end the record has not seen every key.
    unknown = [
        one
        for one, there, told in zip(SIDES, has, given, strict=True)
        if not there and (not told.count or len(told.values) < told.count)
    ]
    values = [one.values.get(key) for one in given]
    row = compared_row(key, _pair(values), views, unknown=unknown)
    if not unknown and not all(has):
        only = "A" if has[0] else "B"
        return _with(row, differs=True, why=f"a key of {only} alone")
    types = [type_name(value) for value in values]
    if row.differs and types[0] != types[1]:
        return _with(row, differs=True, why=f"type {types[0]} in A, {types[1]} in B")
    return row


def _with(row: ComparedFound, *, differs: bool, why: str) -> ComparedFound:
    return ComparedFound(name=row.name, a=row.a, b=row.b, differs=differs, matters=differs, why=why)


def _pair(values: Sequence[Any]) -> tuple[Any, Any]:
    a, b = values
    return a, b
