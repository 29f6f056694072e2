"""The expression that was None is named, and nothing is evaluated to find it."""

import ast
import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import telemetry
from telemetry import names
from telemetry.recorder import syntax
from telemetry.recorder.expression import expression_of
from telemetry.recorder.redaction import redacted

from .conftest import Recording

ROOT = Path(telemetry.__file__).parents[1]

# Each case is a program: its source is what the expression is found in.
CASES = [
    # what was asked for something it does not have
    ("model_def.get('frames_minimum', 5)", "model_def"),
    ("entry['inner'].get('x')", "entry['inner']"),
    ('entry["inner"].get("x")', "entry['inner']"),
    ("things[0].a.b", "things[0]"),
    ("nothing.a.b.c", "nothing"),
    ("nothing.a = 1", "nothing"),
    ("del nothing.a", "nothing"),
    ("nothing.a += 1", "nothing"),
    ("[each.size for each in things]", "each"),
    ("(lambda it: it.size)(nothing)", "it"),
    ("len(entry['inner'].x) + nothing.y", "entry['inner']"),
    ("x = 'é', 'ü', nothing.get", "nothing"),
    ("(\n    entry\n    ['inner']\n    # why\n    .get(\n        'x',\n    )\n)", "entry['inner']"),
    ("v = f(\n    f(entry)['inner']\n    .get('x')\n)", "f(entry)['inner']"),
    ("'text'.nothing", "'text'"),
    # what was asked for an item, called, gone over, entered
    ("nothing['a']", "nothing"),
    ("entry['inner'][0:2]", "entry['inner']"),
    ("nothing['a'] = 1", "nothing"),
    ("del nothing['a']", "nothing"),
    ("entry['inner'](1)", "entry['inner']"),
    ("for each in entry['inner']:\n    print(each)\nelse:\n    pass", "entry['inner']"),
    ("for each in (\n    nothing\n):  # why\n    print(each)", "nothing"),
    ("for each in entry['inner']:\n" + "    print(each)\n" * 50, "entry['inner']"),
    ("[each for each in nothing]", "nothing"),
    ("[b for a in things for b in nothing]", "nothing"),
    ("list(each for each in nothing)", "nothing"),
    ("a, b = entry['inner']", "entry['inner']"),
    ("x = a, b = nothing", "nothing"),
    ("a, (b, c) = 1, nothing", ""),
    ("1 in entry['inner']", "entry['inner']"),
    ("with entry['inner'] as f:\n    pass", "entry['inner']"),
    ("print(1, *nothing)", "nothing"),
    ("dict(**nothing)", "nothing"),
    ("[*nothing]", "nothing"),
    ("{**nothing}", "nothing"),
    # operands
    ("entry['inner'] + 1", "entry['inner']"),
    ("1 + entry['inner']", "entry['inner']"),
    ("1 * 2 - 3 + nothing.__class__ - 4", ""),
    ("entry['inner'] - nothing", "(entry['inner'], nothing)"),
    ("one += nothing", "nothing"),
    ("1 < nothing", "nothing"),
    ("0 < one < nothing", "nothing"),
    ("-nothing", "nothing"),
    ("'a' + nothing", "nothing"),
    ("'%d %d' % (one, nothing)", ""),
    ("'%d' % nothing", "nothing"),
    ("f'{one:>3} {nothing:>3}'", "nothing"),
    # arguments: only what is None
    ("len(nothing)", "nothing"),
    ("int(entry['inner'])", "entry['inner']"),
    ("int(pairs[0])", "pairs[0]"),
    ("sum(things)", ""),
    ("sorted([1, None])", ""),
    ("max(one, None)", "None"),
    # an item that is not there
    ("entry['outer']", "entry['outer']"),
    ("entry[name]['x']", "entry[name]"),
    ("things[7]", "things[7]"),
    ("del entry['outer']", "entry['outer']"),
    ("entry.pop('outer')", ""),
    # statements, and other errors
    ("raise KeyError('x')", ""),
    ("raise TypeError(\"'NoneType' object is not subscriptable\")", ""),
    ("1 / 0", ""),
    ("undefined", ""),
]


def failing(source: str, folder: Path, **given: Any) -> BaseException:
    """Run a program out of a file, inside a function, and return what it raises."""
    lines = "".join(f"    {line}\n" for line in source.split("\n"))
    file = folder / "program.py"
    file.write_text(f"def run(entry, things, pairs, name, f, one=1, nothing=None):\n{lines}")
    space: dict[str, Any] = {"model_def": None}
    exec(compile(file.read_text(), file, "exec"), space)  # noqa: S102 - it is what is tested
    values = {"entry": {"inner": None}, "things": [None], "pairs": (None,), "name": "missing"}
    try:
        space["run"](**{**values, "f": lambda it: it, **given})
    except Exception as exc:  # noqa: BLE001 - whatever it is, is looked at
        return exc
    raise AssertionError(f"{source} did not raise")


@pytest.mark.parametrize(("source", "expression"), CASES)
def test_what_was_none_is_named(source: str, expression: str, tmp_path: Path) -> None:
    """To the subexpression: an attribute's owner, an operand, an argument, an item."""
    assert expression_of(failing(source, tmp_path)) == expression


def test_an_await_and_a_class_body_are_places_too() -> None:
    """A coroutine's frame, and one whose names are no function's."""

    async def wait() -> None:
        nothing: Any = None
        await nothing

    with pytest.raises(TypeError) as waited:
        asyncio.run(wait())
    with pytest.raises(AttributeError) as built:

        class _Built:
            nothing: Any = None
            field = nothing.size

    assert expression_of(waited.value) == "nothing"
    assert expression_of(built.value) == "nothing"


def test_a_stated_cause_speaks_for_an_error_that_says_nothing(tmp_path: Path) -> None:
    """What was merely in hand meanwhile does not."""
    cause = failing("entry['inner'].get('x')", tmp_path)
    stated, meanwhile = RuntimeError("generation failed"), RuntimeError("generation failed")
    stated.__cause__, meanwhile.__context__ = cause, cause

    assert (expression_of(stated), expression_of(meanwhile)) == ("entry['inner']", "")


class Wary:
    """A container and a key that fail the test once they are armed."""

    def __init__(self) -> None:
        self.armed = False

    def __getitem__(self, key: object) -> None:
        """Hold None, until then."""
        self.__eq__(key)

    def __eq__(self, other: object) -> bool:
        """Equal nothing, until then."""
        if self.armed:
            pytest.fail("foreign code was called")
        return False

    def __hash__(self) -> int:
        """Collide with the key that is looked for."""
        return hash("inner")


@pytest.mark.parametrize("source", ["int(entry['inner'])", "int(f['inner'])"])
def test_values_are_looked_up_without_running_their_code(source: str, tmp_path: Path) -> None:
    """Neither their index, nor the equality of another key with the same hash."""
    wary = Wary()
    exc = failing(source, tmp_path, entry={wary: 1, "inner": None}, f=wary)
    wary.armed = True

    assert expression_of(exc) == ("entry['inner']" if "entry" in source else "")


def test_generated_code_has_no_expression() -> None:
    """There is no source to be read."""
    with pytest.raises(AttributeError) as caught:
        exec("nothing = None\nnothing.get", {})  # noqa: S102 - as dataclasses make theirs

    assert expression_of(caught.value) == ""


def test_a_source_that_has_changed_since_names_nothing_wrong(tmp_path: Path) -> None:
    """Another attribute stands there now."""
    exc = failing("model_def.get('x')", tmp_path)
    (tmp_path / "program.py").write_text("\n    another.one('x')\n")

    assert expression_of(exc) == ""


def test_python_without_columns_names_nothing(tmp_path: Path) -> None:
    """`-X no_debug_ranges` leaves lines alone."""
    program = tmp_path / "program.py"
    program.write_text(
        "from telemetry.recorder.expression import expression_of\n"
        "nothing = None\n"
        "try:\n    nothing.get\nexcept AttributeError as exc:\n"
        "    print(repr(expression_of(exc)))\n"
    )
    for options, answer in (([], b"'nothing'\n"), (["-X", "no_debug_ranges"], b"''\n")):
        command = [sys.executable, *options, str(program)]
        told = subprocess.run(
            command, check=True, env={"PYTHONPATH": str(ROOT)}, capture_output=True
        )
        assert (told.stdout, told.stderr) == (answer, b"")


def test_a_secret_in_an_expression_is_hidden(tmp_path: Path) -> None:
    """It is as much in the source as in the value."""
    exc = failing("entry['sb_secret_abcdefghijkl']", tmp_path)

    assert expression_of(exc) == redacted("entry['sb_secret_abcdefghijkl']")
    assert "abcdefghijkl" not in expression_of(exc)


def test_the_record_and_the_event_of_the_span_name_it(recording: Recording) -> None:
    """Both, so that a trace viewer shows it."""
    entry: Any = {"inner": None}
    with (
        contextlib.suppress(AttributeError),
        recording.recorder.span("inner"),
    ):
        try:
            entry["inner"].get("x")
        except AttributeError as exc:
            error = recording.recorder.error(exc)
            raise
    (event,) = recording.spans()["inner"].events

    assert error.expression == "entry['inner']"
    assert event.attributes[names.ERROR_EXPRESSION] == "entry['inner']"


@example("é.é", 1, 4)
@given(st.text(max_size=40), st.integers(0, 60), st.integers(0, 60))
def test_no_text_at_a_place_makes_it_raise(text: str, start: int, end: int) -> None:
    """The source may be anything by the time it is read."""
    place = syntax._Place(1, 1, start, end)
    found = syntax._node_at(place, [f"{text}\n"])

    assert found is None or ast.unparse(found)
