"""Snapshots run no code of the values, whatever these are."""

import asyncio
import collections
import sys
from collections.abc import Callable, Iterator
from types import FrameType, MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.recorder import locals as locals_module
from telemetry.recorder.guard import Guard
from telemetry.recorder.locals import ITEMS, TOTAL_BYTES, Snapshot
from telemetry.recorder.redaction import Redactor

from .hostile import HOSTILE, HostileDict, HostileList, Request, hostile, refuse, shown


def test_nothing_of_a_hostile_object_runs() -> None:
    """Nor of its metaclass; nor when it is in a list, a dictionary, or is a key."""
    text = f"<{hostile.__module__}.hostile.<locals>.Hostile>"

    assert shown([hostile(), {"a": hostile()}]) == [text, {"a": text}]


def test_a_tensor_that_answers_for_itself_is_not_asked() -> None:
    """Nothing switches off what a class has for its sizes; torch's own are known."""
    torch = pytest.importorskip("torch")

    class Loud(torch.Tensor):  # type: ignore[misc, name-defined]  # torch is imported here alone
        __torch_dispatch__ = classmethod(refuse)

    sizes = {"dispatch_sizes_strides_policy": "sizes", "dispatch_device": True}
    loud = torch.Tensor._make_wrapper_subclass(Loud, (2, 3), **sizes)
    weight = torch.nn.Parameter(torch.zeros(2))
    assert shown([loud, weight]) == [
        f"<{__name__}.{Loud.__qualname__}>",
        "<torch.nn.parameter.Parameter 2 float32 cpu>",
    ]


def test_arrays_are_their_shape_and_type() -> None:
    """Never their objects; a type's own text may be made of an object, too."""
    numpy = pytest.importorskip("numpy")

    class Missing:
        pass

    objects = numpy.array([Missing(), None])
    strings = numpy.array(["a"], dtype=numpy.dtypes.StringDType(na_object=Missing()))
    Missing.__repr__ = Missing.__str__ = refuse  # type: ignore[method-assign]  # NumPy asks, too

    assert shown([objects, numpy.zeros(3, "f8"), numpy.zeros(1, "i4,f4"), strings]) == [
        "<numpy.ndarray 2 object>",
        "<numpy.ndarray 3 float64>",
        "<numpy.ndarray 1 record of 2>",
        "<numpy.ndarray 1 str>",
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_hostile_value_runs(name: str) -> None:
    """Nor does it cost the values beside it, nor is anything too long or too slow."""
    make, text = HOSTILE[name]

    assert shown([1, make(), 2]) == [1, text, 2]


def test_a_long_list_and_a_deep_one_and_one_in_itself_are_cut() -> None:
    """What is shown of them is as much as of any other."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)

    assert shown(list(range(10**6)))[-1] == f"… {10**6 - ITEMS} more"
    assert shown(deep) == shown(endless) == [[["<list 1>"]]]


def test_frames_of_every_kind_have_their_locals() -> None:
    """A generator's, a coroutine's, a class body's, a lambda's."""

    def generator() -> Iterator[FrameType]:
        here = 1  # noqa: F841 - to be found
        yield sys._getframe()

    async def coroutine() -> FrameType:
        here = 2  # noqa: F841 - to be found
        return sys._getframe()

    class Body:
        here = 3
        frame = sys._getframe()

    by_lambda = lambda here: sys._getframe()  # noqa: ARG005, E731 - a frame of its own kind
    generators = generator(), (sys._getframe() for here in [5])  # they keep their frames
    frames = [
        next(generators[0]),
        asyncio.run(coroutine()),
        Body.frame,
        by_lambda(4),
        next(generators[1]),
    ]
    found = [Snapshot(Redactor()).of_frame(frame).get("here") for frame in frames]
    assert found == [1, 2, 3, 4, 5]


def test_a_class_body_in_a_mapping_of_its_metaclass_shows_nothing() -> None:
    """To read it would run the mapping's code."""

    class Namespace(collections.UserDict[str, Any]):
        pass

    class Meta(type):
        @classmethod
        def __prepare__(cls, *_: Any, **__: Any) -> Any:
            return Namespace()

        def __new__(cls, name: str, bases: Any, space: Any) -> Any:
            return super().__new__(cls, name, bases, dict(space))

    class Body(metaclass=Meta):
        frame = sys._getframe()

    assert Snapshot(Redactor()).of_frame(Body.frame) == {}


def test_a_value_that_does_harm_after_all_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where faults are contained, the others are shown, and how many are missing."""
    monkeypatch.setattr(Guard, "_counted", lambda *_: True)
    monkeypatch.setattr(locals_module, "described", refuse_one)

    assert shown({"a": 1, "b": object(), "c": 2}) == {"a": 1, "c": 2, "…": "1 more"}


def refuse_one(_: Any) -> Any:
    """Stand for a value that nobody has thought of."""
    raise OSError


Recipe = Callable[[], Any]
texts = st.text(st.characters())  # also what UTF-8 cannot hold
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary()


def made_of(recipes: list[Recipe]) -> list[Any]:
    """Return what the recipes make."""
    return [recipe() for recipe in recipes]


def containers(inner: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    """Return recipes of what holds values: Hypothesis itself would ask a hostile one too much."""
    several = st.lists(inner)
    keyed = st.dictionaries(texts | st.integers(), inner)
    return (
        several.map(lambda each: lambda: made_of(each))
        | several.map(lambda each: lambda: tuple(made_of(each)))
        | several.map(lambda each: lambda: HostileList(made_of(each)))
        | several.map(lambda each: lambda: Request(model="", loras=tuple(made_of(each))))
        | keyed.map(lambda each: lambda: {key: value() for key, value in each.items()})
        | keyed.map(lambda each: lambda: HostileDict((str(k), v()) for k, v in each.items()))
        | keyed.map(lambda each: lambda: MappingProxyType({k: v() for k, v in each.items()}))
    )


anything = st.recursive(
    plain.map(lambda value: lambda: value)
    | st.sampled_from([hostile, *(make for make, _ in HOSTILE.values())]),
    containers,
    max_leaves=30,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(anything))
def test_any_value_can_be_written(recipes: list[Recipe]) -> None:
    """Whatever is found, none of its code runs, it is bounded, and every encoder takes it."""
    found = shown(made_of(recipes))
    packed = msgspec.msgpack.encode(found)

    assert msgspec.msgpack.decode(packed) == found
    assert msgspec.json.encode(found)
    assert len(packed) < 1.3 * TOTAL_BYTES
