"""Whether a value of the failing line stands for another one, or is made when it is asked for."""

from collections.abc import Iterator
from typing import Final

from telemetry.reports.evidence import CONFIRMED, OPEN, RULED_OUT, Evidence, Said, place
from telemetry.reports.findings import FailureFound, FrameFound, ValueFound
from telemetry.reports.origins import asked_names
from telemetry.reports.spoken import NO_INDEX, NO_KEY, NOT_RECORDED, raised_in, shown_as, type_named
from telemetry.reports.suspicions import (
    class_of,
    is_iterator,
    is_lazy,
    iterator_of,
    lazy_within,
    made_lazy,
    opaque,
)
from telemetry.reports.wording import one_line, value_text

# A line of these may be an object's that passes on what it is asked, to whatever it stands for.
_ASKED_OF_OBJECTS: Final = ("__getattr__", "__getattribute__", "__getitem__")
_LONGEST: Final = 80


def lazy(evidence: Evidence) -> Said:
    """Tell whether a value that the failing line had to do with is a proxy, or lazy."""
    failure = evidence.failure
    named = [type_named(*one) for one in raised_in(failure)]
    if kind := next((one for one in named if is_lazy(one) or is_iterator(one)), ""):
        return CONFIRMED, f"{_subject(failure)} is a {one_line(kind, _LONGEST)}, as the error says"
    if said := next(_confirmed(failure), ""):
        return CONFIRMED, said
    if not failure.values:
        return OPEN, evidence.for_want_of("the values of the failing line")
    if said := next(_doubts(failure), ""):
        return OPEN, said
    return RULED_OUT, _plain(failure)


def _plain(failure: FailureFound) -> str:
    """Tell the values that are shown, of which none stands for another."""
    told = [one for one in failure.values if not _is_unknown(one)][:4]
    values = ", ".join(f"{one_line(one.name, 40)} = {value_text(one.value, 40)}" for one in told)
    if not values:
        return f"{_subject(failure)} was {'None' if _was_none(failure) else 'not there'}"
    return f"the values of the failing line are plain: {values}"


def _subject(failure: FailureFound) -> str:
    return one_line(failure.expression, _LONGEST) or "what was asked"


def _direct(failure: FailureFound) -> list[ValueFound]:
    """Return the values that the failing line itself asked, and not those that they came from."""
    names = {failure.expression, *asked_names(failure.expression, failure.frames)}
    found: dict[str, ValueFound] = {}
    for one in failure.values:  # the innermost of a name is the first
        if one.name in names:
            found.setdefault(one.name, one)
    return list(found.values())


def _confirmed(failure: FailureFound) -> Iterator[str]:
    for value in failure.values:
        if is_lazy(kind := class_of(value.value)):
            yield f"{one_line(value.name, _LONGEST)} is {one_line(kind, _LONGEST)}"
    for value in _direct(failure):
        if kind := iterator_of(value.value):
            yield f"{one_line(value.name, _LONGEST)} is a {kind}, which makes its values when asked"
        if kind := made_lazy(value.origin):
            yield f"{one_line(value.name, _LONGEST)} was made by {one_line(kind, _LONGEST)}"
    inner = _innermost(failure)
    if inner is not None and is_lazy(inner.function.rpartition(".")[0]):
        yield f"the failing line is such an object's own: {place(inner)}"


def _doubts(failure: FailureFound) -> Iterator[str]:
    """Say what keeps the record from deciding."""
    inner = _innermost(failure)
    if inner is not None and inner.function.rpartition(".")[2] in _ASKED_OF_OBJECTS:
        yield f"the failing line answers for an object, or for what it stands for: {place(inner)}"
    for value in failure.values:
        name = one_line(value.name, _LONGEST)
        if kind := lazy_within(value.value):
            held = f"{name} holds {one_line(kind, _LONGEST)}"
            yield f"{held}: whether the line asked it is not known"
        if kind := iterator_of(value.value):
            yield f"{name}, which a value came from, is a {kind}"
    if _was_none(failure):
        return  # None was asked, which is none, whatever else is in the line
    for value in _direct(failure):
        name = one_line(value.name, _LONGEST)
        if value.value == NOT_RECORDED:
            yield f"the value of {name} is not in the record"
        elif kind := opaque(value.value):
            seen = f"{name}, a {one_line(kind, _LONGEST)}"
            yield f"{seen}, may stand for another value: the record shows its class alone"


def _was_none(failure: FailureFound) -> bool:
    return bool(failure.expression) and shown_as(raised_in(failure)) is None


def _is_unknown(value: ValueFound) -> bool:
    return value.value in (NOT_RECORDED, NO_KEY, NO_INDEX) or bool(opaque(value.value))


def _innermost(failure: FailureFound) -> FrameFound | None:
    return failure.frames[-1] if failure.frames else None
