"""Verdicts on values that are made when they are asked for, or that stand for another one."""

import types
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.reports.hypotheses import LAZY
from tests.telemetry.reports.test_hypotheses import raising, said


class ObjectWrapper:
    """Acts as the object does that its factory makes."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self._factory = factory

    def __getattr__(self, name: str) -> Any:
        """Ask what it stands for."""
        return getattr(self._factory(), name)

    def __getitem__(self, name: str) -> Any:
        """Ask what it stands for."""
        return self._factory()[name]


def asks_a_generator() -> None:
    """Take a generator for a dictionary."""
    defs: Any = (one for one in [1])
    defs.get("frames")


def asks_a_map() -> None:
    """Take a map for a dictionary."""
    defs: Any = map(str, [1])
    defs.get("frames")


def counts_a_generator() -> None:
    """Take a generator for a list."""
    defs: Any = (one for one in [1])
    len(defs)


def runs_out_of_values() -> None:
    """Ask an iterator for one more, which names no type."""
    left = iter([1][1:])
    next(left)


def changes_a_proxy() -> None:
    """Write into what can only be read."""
    given: Any = types.MappingProxyType({"a": 1})
    given["a"] = 2


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (asks_a_generator, "generator"),
        (asks_a_map, "map"),
        (counts_a_generator, "generator"),
        (runs_out_of_values, "list_iterator"),
        (changes_a_proxy, "mappingproxy"),
    ],
)
def test_what_is_made_when_it_is_asked_for_is_confirmed(
    spool: Path, act: Callable[[], None], kind: str
) -> None:
    """An iterator is lazy, and so is a proxy that only the message names."""
    word, evidence = said(raising(spool, act).found(), LAZY)
    assert word == "confirmed"
    assert kind in evidence


def test_a_proxy_that_a_snapshot_shows_as_a_dictionary_is_known_by_its_making(spool: Path) -> None:
    """The line that must have made it names its class."""

    def act() -> None:
        given = types.MappingProxyType({"a": 1})
        given["nope"]

    word, evidence = said(raising(spool, act).found(), LAZY)
    assert (word, evidence) == ("confirmed", "given was made by types.MappingProxyType")


def test_a_function_with_such_a_name_makes_no_proxy(spool: Path) -> None:
    """What it returns is shown."""

    def act() -> None:
        lazy_loaded = dict
        given = lazy_loaded(a="LazyThing()")
        given["nope"]

    assert said(raising(spool, act).found(), LAZY)[0] == "ruled out"


def test_a_container_of_pythons_own_stands_for_itself(spool: Path) -> None:
    """Though a snapshot shows its class alone."""

    def act() -> None:
        waiting = deque([1])
        int(waiting)  # type: ignore[call-overload]  # the failure

    assert said(raising(spool, act).found(), LAZY)[0] == "ruled out"


def test_a_generator_that_the_value_came_from_decides_nothing(spool: Path) -> None:
    """It was None that was asked."""

    def act() -> None:
        names: Any = iter([None])
        entry: Any = next(names)
        entry.get("frames")

    assert said(raising(spool, act).found(), LAZY)[0] == "not decidable"


@pytest.mark.parametrize("ask", [lambda model: model.get("frames"), lambda model: model["frames"]])
def test_an_object_that_may_stand_for_another_decides_nothing(
    spool: Path, ask: Callable[[Any], Any]
) -> None:
    """Its name does not tell that it does."""
    word, evidence = said(raising(spool, lambda: ask(ObjectWrapper(lambda: None))).found(), LAZY)
    assert word == "not decidable"
    assert "ObjectWrapper" in evidence


def test_an_opaque_object_in_the_failing_line_decides_nothing(spool: Path) -> None:
    """A snapshot shows its class alone."""

    def act() -> None:
        model = ObjectWrapper(dict)
        int(model)  # type: ignore[call-overload]  # the failure

    word, evidence = said(raising(spool, act).found(), LAZY)
    assert word == "not decidable"
    assert evidence.endswith("may stand for another value: the record shows its class alone")


def test_an_object_that_nothing_was_asked_of_leaves_none_as_it_is(spool: Path) -> None:
    """None that was asked for something is no proxy, whatever else is in the line."""

    def act() -> None:
        model, entry = ObjectWrapper(dict), [None]
        entry[0].get(model)  # type: ignore[attr-defined]  # the failure

    word, evidence = said(raising(spool, act).found(), LAZY)
    assert word == "ruled out"
    assert "ObjectWrapper" not in evidence


def test_a_value_that_is_not_in_the_record_decides_nothing(spool: Path) -> None:
    """It may be a proxy."""

    def act() -> None:
        held = {"a": {"b": (1,)}}
        dict(held.items())["a"]["c"]

    assert said(raising(spool, act).found(), LAZY)[0] == "not decidable"
