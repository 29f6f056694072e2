"""Snapshots of local variables are plain, complete and within their limits."""

import collections
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

import pytest

from telemetry.recorder.locals import ITEMS, LOCALS_PER_FRAME, SECONDS, TOTAL_BYTES, Snapshot
from telemetry.recorder.redaction import Redactor

from .hostile import HostileDict, HostileList, Request, frame_with, shown


def nested(depth: int) -> Any:
    """Return lists in lists."""
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        (26, 26),
        (True, True),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (2**70, str(2**70)),
        (b"abc", "<bytes 3>"),
        (Path("/a"), "/a"),
        ((1, "a"), [1, "a"]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": None}), {"a": None}),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "None": "b", "<tuple>": "c"}),
        (HostileList([1, 2]), [1, 2]),
        (HostileDict(a=1), {"a": 1}),
        (len, "<builtin_function_or_method>"),
        (Request, f"<class {Request.__module__}.Request>"),
        (nested(9), [[["<list 1>"]]]),
    ],
)
def test_values_are_shown_plainly(value: Any, text: Any) -> None:
    """By exact type, to a depth of four."""
    assert shown(value) == text


def test_a_request_shows_its_fields() -> None:
    """Read from its slots, without its own code; what is secret by name is not shown."""
    assert shown(Request(model="", loras=("a",))) == {
        "<class>": f"{Request.__module__}.Request",
        "model": "",
        "loras": ["a"],
        "secret": "[redacted]",
    }


def test_a_tensor_is_its_shape_dtype_and_device() -> None:
    """Read by the base class's descriptors: a subclass's own code does not run."""
    torch = pytest.importorskip("torch")

    class Loud(torch.Tensor):  # type: ignore[misc, name-defined]  # torch is imported here alone
        @classmethod
        def __torch_function__(cls, *_: Any, **__: Any) -> Any:
            pytest.fail("foreign code was called")

    loud = torch.zeros(2, 3).as_subclass(Loud)
    assert shown([torch.zeros(1, dtype=torch.int64), loud]) == [
        "<torch.Tensor 1 int64 cpu>",
        f"<{__name__}.{Loud.__qualname__} 2x3 float32 cpu>",
    ]


def test_secrets_are_hidden_by_name_and_by_form() -> None:
    """None and empty texts are shown: that a key is missing is what one looks for."""
    values = {"api_key": "abc", "token": None, "password": "", "note": "Bearer abcdef123456"}

    assert shown(values) == {
        "api_key": "[redacted]",
        "token": None,
        "password": "",
        "note": "Bearer [redacted]",
    }


def test_prompts_are_hidden_when_so_asked() -> None:
    """By their names, wherever they are."""
    frame = frame_with(value={"base_prompt": "a cat", "seed": 1, "negative_prompt": ""})
    found = Snapshot(Redactor(record_prompts=False)).of_frame(frame)

    assert found["held"]["value"] == {
        "base_prompt": "[prompt hidden]",
        "seed": 1,
        "negative_prompt": "",
    }


def test_long_values_say_how_much_was_cut() -> None:
    """64 items, 2 KB of a text."""
    assert shown(list(range(100)))[-2:] == [ITEMS - 1, "… 36 more"]
    assert shown({n: n for n in range(100)})["…"] == "36 more"
    assert shown("x" * 5000) == "x" * 2048 + "… [5000 characters]"


def test_a_frame_of_an_engine_is_taken_whole() -> None:
    """395 locals, as a function in the field has; parameter 26 of 32 among them."""
    names = [f"parameter_{n}" for n in range(395)]
    source = "\n".join(
        ["def engine():", *(f"    {n} = '{n}'" for n in names), "    return frame()"]
    )
    space: dict[str, Callable[[], FrameType]] = {"frame": lambda: sys._getframe(1)}
    exec(source, space)  # noqa: S102 - a function with 395 locals is not written by hand
    found = Snapshot(Redactor()).of_frame(space["engine"]())

    assert found == {name: name for name in names}


def test_a_frame_beyond_the_limit_says_how_many_locals_are_missing() -> None:
    """A module's names can be thousands."""
    frame = frame_with()
    values = {f"v{n}": n for n in range(1000)}
    found = Snapshot(Redactor())._pairs(values, LOCALS_PER_FRAME, 4)

    assert frame.f_code.co_name == "hold"
    assert (len(found), found["…"]) == (LOCALS_PER_FRAME + 1, "400 more")


def test_all_frames_share_one_budget_of_bytes() -> None:
    """A list of lists of texts ends within it, and what follows is empty."""
    snapshot = Snapshot(Redactor())
    wide = [[["x" * 2000] * 64] * 64] * 64
    size = len(json.dumps(snapshot.of_frame(frame_with(value=wide))))

    assert 0.8 * TOTAL_BYTES < size < 1.3 * TOTAL_BYTES
    assert snapshot.spent
    assert snapshot.of_frame(frame_with(value=1)) == {}


def test_time_is_bounded() -> None:
    """By the clock it is given, whatever the values are."""
    ticks = iter(n * SECONDS / 20 for n in range(10_000))
    snapshot = Snapshot(Redactor(), clock=lambda: next(ticks))
    found = snapshot.of_frame(frame_with(value=list(range(64))))

    assert snapshot.spent
    assert found["held"]["value"][-1] == "…"
