"""Where the value of a failing line came from."""

from typing import Any

import pytest

from telemetry.reports.findings import FrameFound, SourceLine
from telemetry.reports.origins import values
from telemetry.reports.spoken import NO_INDEX, NO_KEY, NOT_RECORDED


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


# What never ran is not told: only a line that must have run before the failing one made its value.


def origin_of(source: str, line: int, function: str = "use", **known: Any) -> str:
    """Return what is told of `x`, whose value is None, in a frame with these lines."""
    one = frame(function, line, source, 1, **{"x": None, **known})
    return {found.name: found.origin for found in values("x", [one])}["x"]


@pytest.mark.parametrize(
    "source",
    [
        "def other():\n    x = made()\n\ndef use(x):\n    return x.get()",
        "    x = made()\n\ndef use(x): return x.get()",
        "class Use:\n    x = made()\n    def use(x):\n        return x.get()",
        "x = made()\nasync def use(x):\n    return x.get()",
        "x = made()\nkey = lambda x: 1\nx.get()",
    ],
)
def test_a_line_of_another_scope_made_nothing(source: str) -> None:
    """A window of source reaches beyond the function."""
    assert origin_of(source, source.count("\n") + 1) == "a local of use"


@pytest.mark.parametrize(
    "source",
    [
        "if it:\n    x = made()\nreturn x.get()",
        "if it:\n    x = made()\nelse:\n    return x.get()",
        "try:\n    x = made()\nexcept OSError:\n    x.get()",
        "for one in all:\n    x = one\nreturn x.get()",
        "x = made()\nif it:\n    x = other()\nreturn x.get()",
        "x = made()\nmatch it:\n    case x: pass\nreturn x.get()",
    ],
)
def test_a_branch_that_may_not_have_run_makes_the_origin_unknown(source: str) -> None:
    """It may have been this line, or one before it."""
    assert origin_of(source, source.count("\n") + 1) == "a local of use"


@pytest.mark.parametrize(
    "source",
    [
        "x = made()\nx, y = both()\nreturn x.get()",
        "x = made()\n(y, *x) = many()\nreturn x.get()",
        "x = made()\nfor x in all:\n    x.get()",
        "x = made()\nwith opened() as x:\n    x.get()",
        "x = made()\nif (x := other()) is None:\n    x.get()",
        "x = made()\nif it and (x := other()) is None and x.get(): pass",
        "x = made()\nx += other()\nreturn x.get()",
        "x = made()\nimport x\nreturn x.get()",
        "x = made()\ndel x; x = other()\nreturn x.get()",
        "x = made()\nexcept OSError as x:\n    x.get()",
    ],
)
def test_another_way_of_binding_the_name_makes_the_origin_unknown(source: str) -> None:
    """What was bound there is not in the text of an assignment."""
    assert origin_of(source, source.count("\n") + 1) == "a local of use"


def test_what_a_loop_may_have_changed_is_not_told() -> None:
    """Its later lines are not all in the window."""
    source = "x = made()\nwhile it:\n    y = 1\n    x.get()"
    assert origin_of(source, 4) == "a local of use"


@pytest.mark.parametrize(
    "source",
    [
        "x = made()\nif it:\n    return x.get()",
        "x = made()\nwith opened():\n    if it:\n        x.get()",
        "x = made()\n\n# a remark: x = 1\nreturn x.get()",
        "y = f(x=1)\nx = made()\nprint(\n    x.y\n)",
    ],
)
def test_a_line_that_all_ways_to_the_failing_one_pass_made_the_value(source: str) -> None:
    """Enclosing blocks, remarks and lines of one call do not hide it."""
    line = next(
        n for n, text in enumerate(source.split("\n"), 1) if "x.get" in text or "x.y" in text
    )
    made = next(n for n, text in enumerate(source.split("\n"), 1) if text.startswith("x ="))
    assert origin_of(source, line) == f"assigned at wgp.py:{made} in use: made()"


def test_an_argument_of_a_call_is_no_assignment() -> None:
    """Written on a line of its own it looks like one."""
    source = "answer = call(\n    x=None,\n)\nreturn x.get()"
    assert origin_of(source, 4) == "a local of use"
    assert origin_of("    x=None,\n)\nreturn x.get()", 3) == "a local of use"


def test_the_failing_statements_own_target_is_not_assigned_yet() -> None:
    """It failed before that."""
    assert origin_of("x = call(\n    x.get(),\n)", 2) == "a local of use"


def test_a_line_of_a_text_is_no_assignment() -> None:
    """A docstring may begin above the window."""
    source = '    x = made()\n    """\n    x.get()'
    assert origin_of(source, 3) == "a local of use"


def test_a_constant_that_the_value_is_not_was_not_assigned_last() -> None:
    """Something has changed it since, in a way that the lines do not show."""
    assert origin_of("x = 5\nreturn x.get()", 2) == "a local of use"


def test_what_a_comprehension_walks_over_is_its_own() -> None:
    """Though a line above gives that name to another value."""
    assert origin_of("x = made()\nreturn [x.get() for x in all]", 2, "<listcomp>") == (
        "a local of <listcomp>"
    )


def test_what_was_changed_after_it_was_used_is_not_what_it_was_made_from() -> None:
    """The snapshot has the value of now."""
    one = frame("use", 3, "x = get(y)\ny = 2\nx.get()", 1, x=None, y=2)
    assert [found.name for found in values("x", [one])] == ["x"]


# What a caller passed.


def passed(call: str, source: str, line: int, value: Any = None, **known: Any) -> str:
    """Return what is told of the parameter `x` of `use`, called with these locals."""
    inner = frame("use", line, source, 1, x=value)
    return values("x", [frame("main", 9, call, 9, **known), inner])[0].origin


OPEN = "y = 1\nreturn x.get()"  # the window does not reach to the beginning of the function
WHOLE = "def use(x):\n    return x.get()"


@pytest.mark.parametrize("source", [OPEN, WHOLE])
def test_an_argument_that_is_the_value_was_passed(source: str) -> None:
    """The snapshot of the caller has it."""
    line = source.count("\n") + 1
    assert passed("use(given)", source, line, given=None) == "passed at wgp.py:9 in main as given"
    told = passed("use(had.get('a', ''))", source, line, "", had={"b": 1})
    assert told == "passed at wgp.py:9 in main as had.get('a', '')"


@pytest.mark.parametrize("known", [{"given": 4}, {"given": False}])
def test_an_argument_of_another_value_was_not(known: dict[str, Any]) -> None:
    """The name has been given another value since, in whatever way."""
    for source in (OPEN, WHOLE):
        told = passed("use(given)", source, source.count("\n") + 1, 0, **known)
        assert told == "a local of use"


def test_an_item_that_the_snapshot_may_have_left_out_is_not_taken_for_missing() -> None:
    """It shows the first ones of many."""
    assert passed("use(had.get('a'))", OPEN, 2, had={"b": 1, "…": "9 more"}) == "a local of use"
    assert passed("use(had.get('a'))", OPEN, 2, had={"<class>": "m.C"}) == "a local of use"


def test_an_argument_that_cannot_be_worked_out_is_told_as_such() -> None:
    """Where the lines show that the parameter has kept its value."""
    told = passed("use(make(given))", WHOLE, 2, given=1)
    assert told == "an argument of the call at wgp.py:9 in main: make(given)"
    assert passed("use(make(given))", OPEN, 2, given=1) == "a local of use"


@pytest.mark.parametrize(
    "changed", ["    x, y = both()", "    if it: x = made()", "    with opened() as x: pass"]
)
def test_a_parameter_that_was_bound_anew_was_not_passed(changed: str) -> None:
    """Though by chance the caller's argument is of that value."""
    source = f"def use(x):\n{changed}\n    return x.get()"
    assert passed("use(given)", source, 3, given=None) == "a local of use"


def test_of_two_calls_of_one_name_neither_is_told_without_the_value() -> None:
    """Which one it was in is not known."""
    assert passed("use(use(one()))", WHOLE, 2) == "a local of use"


def test_a_method_is_called_by_its_last_name() -> None:
    """Its own object is no argument."""
    inner = frame("Engine.use", 2, "def use(self, x):\n    return x.get()", 1, self="<E>", x=None)
    caller = frame("main", 9, "engine.use(given)", 9, engine="<E>", given=None)
    assert values("x", [caller, inner])[0].origin == "passed at wgp.py:9 in main as given"


@pytest.mark.parametrize(
    "text", ["-" * 900 + "y", "y" + "['a']" * 900, "y" + ".get('a')" * 9000, "(" * 900, "y\x00"]
)
def test_lines_that_somebody_made_to_break_a_reader_are_passed_over(text: str) -> None:
    """A black box may come from anybody."""
    assert origin_of(f"x = {text}\nx.get()", 2, y=1) == "a local of use"
    assert passed(f"use({text})", WHOLE, 2, y=1) == "a local of use"
    assert values(text, [frame("use", 1, text, 1, y=1)])


# What the snapshot does not show of the expression itself.


def shown(expression: str, known: dict[str, Any], shown_as: Any = NOT_RECORDED) -> Any:
    """Return the value that is told of an expression."""
    one = frame("use", 1, f"return {expression}", 1, **known)
    return {found.name: found.value for found in values(expression, [one], shown_as)}[expression]


def test_what_the_snapshot_cannot_tell_is_never_told_as_none() -> None:
    """It was there: its value is not in the record."""
    assert shown("f.f_locals['defaults']", {"f": "<frame>"}) == NOT_RECORDED
    assert shown("made()", {}) == NOT_RECORDED


def test_what_the_exception_says_of_it_is_told_instead() -> None:
    """It names None, or the type."""
    assert shown("made()", {}, None) is None
    assert shown("made()", {}, "<generator>") == "<generator>"


def test_what_the_snapshot_shows_is_believed_first() -> None:
    """Of a key and of an index, named or written."""
    known = {"d": {"a": {"b": 1}, "l": [4, 5]}, "key": "a", "at": 1}
    assert shown("d[key]", known, "<dict>") == {"b": 1}
    assert shown("d['l'][at]", known) == 5
    assert shown("d['l'][-2]", known) == 4


def test_a_missing_key_is_told_as_missing() -> None:
    """None would be a value."""
    known = {"cfg": {"a": 1}, "key": "nope", "few": [1]}
    assert shown("cfg['nope']", known) == NO_KEY
    assert shown("cfg[key]", known) == NO_KEY
    assert shown("few[3]", known) == NO_INDEX


def test_a_key_that_may_have_been_left_out_is_not_told_as_missing() -> None:
    """The snapshot shows the first ones of many."""
    assert shown("cfg['nope']", {"cfg": {"a": 1, "…": "9 more"}}) == NOT_RECORDED
    assert shown("few[3]", {"few": [1, "… 9 more"]}) == NOT_RECORDED
    assert shown("few[-1]", {"few": [1, "… 9 more"]}) == NOT_RECORDED
    assert shown("it['nope']", {"it": {"<class>": "m.C"}}) == NOT_RECORDED
