"""Where the value of a failing line came from."""

from typing import Any

from telemetry.reports.findings import FrameFound, SourceLine
from telemetry.reports.origins import values


def frame(function: str, line: int, source: str, first: int, **known: Any) -> FrameFound:
    """Make a frame with the lines around its own."""
    lines = source.split("\n")
    return FrameFound(
        file="wgp.py",
        line=line,
        function=function,
        locals=known,
        source=[SourceLine(number=n, text=text) for n, text in enumerate(lines, first)],
    )


# The incident's: the registry has no entry of the empty name.
GETTER = frame(
    "frames_and_step",
    22,
    "def frames_and_step(model_type):\n    entry = models.get(model_type)\n"
    '    return entry.get("frames_minimum", 5)',
    20,
    model_type="",
    entry=None,
)
CALLER = frame(
    "preflight",
    11,
    'name = params.pop("model_name", "")\nleast = frames_and_step(\n    name\n)',
    10,
    name="",
    params={"seed": 7},
)


def test_a_value_is_followed_to_where_it_was_made() -> None:
    """From what was None, over the argument that was empty, to the line that emptied it."""
    found = values("entry", [CALLER, GETTER])
    assert [(one.name, one.value, one.origin) for one in found] == [
        ("entry", None, "assigned at wgp.py:21 in frames_and_step: models.get(model_type)"),
        ("model_type", "", "passed at wgp.py:11 in preflight as name"),
        ("name", "", "assigned at wgp.py:10 in preflight: params.pop('model_name', '')"),
        ("params", {"seed": 7}, "a local of preflight"),
    ]


def test_without_an_expression_the_names_of_the_line_are_told() -> None:
    """They are what the line had to work with."""
    one = frame("halve", 5, "    return total / count", 5, total=1, count=0)
    assert [(found.name, found.value) for found in values("", [one])] == [
        ("total", 1),
        ("count", 0),
    ]


def test_what_an_item_was_is_looked_up_in_the_snapshot() -> None:
    """An expression that is no name is told with what it was made of."""
    one = frame("pick", 5, "    return model['vae'].decode()", 5, model={"vae": None})
    first, second = values("model['vae']", [one])
    assert (first.name, first.value, first.origin) == (
        "model['vae']",
        None,
        "asked for at wgp.py:5 in pick",
    )
    assert second.name == "model"


def test_an_argument_of_another_value_is_not_taken_for_it() -> None:
    """The name may have been given another value since: then nothing is claimed."""
    changed = frame("work", 3, "    return size.width", 3, size=None)
    caller = frame("main", 9, "work(given)", 9, given=4)
    (found,) = values("size", [caller, changed])
    assert found.origin == "a local of work"


def test_source_that_cannot_be_parsed_costs_nothing_else() -> None:
    """A strange file's lines are no Python."""
    one = frame("f", 2, "}}} not ( python\nx.y", 1, x=None)
    (found,) = values("x", [one])
    assert (found.name, found.origin) == ("x", "a local of f")
    assert values("x", []) == []
