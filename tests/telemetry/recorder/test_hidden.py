"""What is hidden by its place: after a flag, in a pair, beside a name; and a prompt's own text."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.recorder import Recorder
from telemetry.recorder.attributes import clean
from telemetry.recorder.capture import capture
from telemetry.recorder.exceptions import message
from telemetry.recorder.locals import Snapshot
from telemetry.recorder.redaction import Redactor, redacted

from .hostile import Text, refuse, shown

SECRET = "correct-horse-9"  # noqa: S105 - one that was made up
HIDING = {
    "flag": ["upload", "--api-token", SECRET, "--fast"],
    "flag in a tuple": ("upload", "--password", SECRET),
    "pair": [("X-Api-Key", SECRET), ("Accept", "*/*")],
    "name": ["DB_PASSWORD", SECRET],
    "user": ["curl", "-u", f"worker:{SECRET}"],
    "object": {"name": "SUPABASE_KEY", "value": SECRET},
    "object, backwards": {"value": SECRET, "required": True, "key": "hf-token"},
    "objects": {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
    "several keys": {"api_keys": [SECRET], "passwords": {"a": SECRET}},
}


@pytest.mark.parametrize("name", HIDING)
def test_a_value_is_hidden_by_what_is_beside_it(name: str) -> None:
    """As an attribute, in a task's parameters, in a local variable."""
    value = HIDING[name]
    found = clean({"a": value, "loop26.task.params": {"p": value}}, Redactor())

    assert SECRET not in json.dumps(found)
    assert SECRET not in json.dumps(shown(value))
    assert "[redacted]" in json.dumps(shown(value))


@pytest.mark.parametrize(
    "value",
    [
        ["--steps", "8", "--model", "tiny"],
        ["upload", "--api-token", "--fast"],
        ["prompt", "tokenizer", "keyboard"],
        ["-u", "root"],
        [["seed", 7], ["model", "tiny"]],
        {"name": "seed", "value": 7},
        {"name": "token_count", "value": "512"},
        ["api_key", None],
        ["id", "token", "status"],
        ["milk", "cookies", "bread"],
        ["token", "steps", 3.5],
    ],
)
def test_what_is_beside_an_ordinary_name_is_shown(value: Any) -> None:
    """A flag has no value when another follows; what is missing is missing."""
    assert shown(value) == value


def test_variables_called_name_and_value_are_an_object() -> None:
    """As in the loop that reads an environment."""

    def read() -> Any:
        name, value = "DB_PASSWORD", SECRET  # noqa: F841 - to be found
        return sys._getframe()

    assert Snapshot(Redactor()).of_frame(read()) == {"name": "DB_PASSWORD", "value": "[redacted]"}


def test_a_secret_is_no_attributes_name() -> None:
    """Whoever makes names of values makes names of secrets."""
    found = clean({f"sb_secret_{SECRET}": "a", f"as {SECRET}": "b"}, Redactor())

    assert list(found) == ["sb_secret_[redacted]", f"as {SECRET}"]


def test_half_a_pair_in_an_attributes_name_is_escaped() -> None:
    """No encoder writes it, and the span would be lost."""
    assert clean({"\ud83d": 1, "a": "\ud83d"}, Redactor()) == {"\\ud83d": 1, "a": "\\ud83d"}


class Ending(dict[str, Any]):
    """Ends the process when it is asked what it holds."""

    def items(self) -> Any:
        """End it."""
        raise SystemExit(3)


class Foreign:
    """No dictionary, and ends the process too."""

    items = Ending.items


def test_a_mapping_of_attributes_cannot_end_the_task() -> None:
    """What a dictionary holds is read without it; of another that fails, so much is said."""
    assert clean(Ending(a=1), Redactor()) == {"a": 1}
    foreign: Any = Foreign()
    assert clean(foreign, Redactor()) == {
        "loop26.attributes": f"<{__name__}.Foreign raised SystemExit>"
    }


def test_a_name_with_methods_of_its_own_is_not_asked() -> None:
    """It is a text, and stands for that."""

    class Name(str):
        __slots__ = ()
        __eq__ = refuse
        calls = 0

        def __hash__(self) -> int:
            Name.calls += 1
            return str.__hash__(self)

    given = {Name("a"): 1, "b": Text("c")}
    calls = Name.calls

    assert clean(given, Redactor()) == {"a": 1, "b": "c"}
    assert Name.calls == calls


@pytest.mark.parametrize("values", [(2.0**64, 2**64), (2.0**70, 2**70), (-(2.0**64), -(2**64))])
def test_a_number_that_no_encoder_holds_is_no_float_seen_before(values: tuple[float, int]) -> None:
    """They are equal to a dictionary; the second would be written as it is."""
    redactor = Redactor()
    found = [clean({"seed": value}, redactor)["seed"] for value in (*values, *values)]

    assert found == [values[0], str(values[1])] * 2


PROMPT = "my private prompt about Ada"


def test_a_prompt_is_hidden_under_every_name() -> None:
    """An outer frame says what it is; the inner one has it as a text."""

    def tokenizer(text: str) -> None:
        raise ValueError(f"too long: {text}")

    def encode(prompt: str) -> None:
        tokenizer(prompt)

    try:
        encode(PROMPT)
    except ValueError as error:
        found = capture(error, redactor=Redactor(record_prompts=False))
    written = json.dumps([[frame.locals, frame.source] for frame in found.chain[0].frames[-2:]])

    assert found.chain[0].frames[-1].locals == {"text": "[prompt hidden]"}
    assert PROMPT not in written
    assert found.message == "too long: [prompt hidden]"


class Told(Exception):
    """Has a text of its own."""

    def __str__(self) -> str:
        return f"too long: {self.args[0]}"


@pytest.mark.parametrize("kind", [ValueError, Told])
def test_a_prompt_that_is_learned_late_is_hidden_in_a_message(kind: type[Exception]) -> None:
    """The message was asked for before any frame had been read."""

    def encode(prompt: str) -> None:
        raise kind(f"too long: {prompt}")

    try:
        encode(PROMPT)
    except kind as error:
        message(error)
        found = capture(error, redactor=Redactor(record_prompts=False))
    assert PROMPT not in found.message
    assert "[prompt hidden]" in found.message


def test_a_message_is_as_it_is_when_it_is_written() -> None:
    """Who lets an exception pass may add to what it says."""
    error = KeyError("flux")
    assert message(error) == "'flux'"
    error.args = ("flux, of the registry",)
    assert message(error) == "'flux, of the registry'"


@pytest.mark.parametrize(
    "text",
    [
        f"encoding {PROMPT} now",
        f"encoding {PROMPT + chr(10) + 'second line of it'!r} now",
        "second line of it",
        json.dumps({"a": f"{PROMPT}\nsecond line of it"}),
    ],
)
def test_a_prompt_is_hidden_in_what_is_said_of_it(text: str) -> None:
    """Whole or by line, as it is and within quotes."""
    redactor = Redactor(record_prompts=False)
    clean({"loop26.task.params": {"prompts": [f"{PROMPT}\nsecond line of it"]}}, redactor)

    assert "private" not in redacted(text)
    assert "second" not in redacted(text)


def test_a_prompt_is_hidden_beside_itself_and_where_it_was_seen_before() -> None:
    """Whatever the order."""
    redactor = Redactor(record_prompts=False)
    assert clean({"text": PROMPT}, redactor) == {"text": PROMPT}
    for _ in range(2):
        assert clean({"text": PROMPT, "prompt": PROMPT}, redactor) == {
            "text": "[prompt hidden]",
            "prompt": "[prompt hidden]",
        }
        assert clean({"text": PROMPT}, redactor) == {"text": "[prompt hidden]"}


def test_a_tasks_prompts_are_hidden_to_the_end_of_the_next(hiding: Recorder) -> None:
    """What a process's output still says of the last one; not for the process's whole life."""

    def begin(prompt: str) -> None:
        hiding.task(
            task_id="1",
            attempt=1,
            task_type="t2v",
            trace_id=b"t" * 16,
            worker_id="w",
            params={"prompt": prompt},
        )

    begin(PROMPT)
    begin("another prompt, about Grace")
    assert redacted(PROMPT) == "[prompt hidden]"
    begin("a third prompt, about Mary")
    assert redacted(PROMPT) == PROMPT
    assert redacted("another prompt, about Grace") == "[prompt hidden]"


@pytest.fixture
def hiding(tmp_path: Path) -> Iterator[Recorder]:
    """Return a recorder that may not write prompts."""
    recorder = Recorder.open(tmp_path, role="task", record_prompts=False)
    yield recorder
    recorder.close()


@pytest.mark.parametrize("own", ["loop iteration", "stage generate", "denoise step"])
def test_a_prompt_that_is_called_like_a_span_is_hidden_by_its_key_alone(own: str) -> None:
    """Its text would take the name from every such span, which reports look for."""
    redactor = Redactor(record_prompts=False)
    assert clean({"prompt": own}, redactor) == {"prompt": "[prompt hidden]"}
    assert redacted(own) == own


@pytest.mark.parametrize("key", ["video_prompt_type", "prompt_mode", "prompts_count"])
def test_what_is_said_of_a_prompt_is_none(key: str) -> None:
    """It is shown, and hides nothing elsewhere."""
    redactor = Redactor(record_prompts=False)
    assert clean({key: "start and end"}, redactor) == {key: "start and end"}
    assert redacted("from start and end") == "from start and end"


def test_prompts_that_may_be_recorded_hide_nothing() -> None:
    """It is the default."""
    clean({"prompt": PROMPT}, Redactor())
    assert redacted(PROMPT) == PROMPT


class Telling(Exception):
    """Counts how often it is asked for its text."""

    asked = 0

    def __str__(self) -> str:
        """Count."""
        Telling.asked += 1
        raise self.args[0]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError])
def test_an_exceptions_text_is_asked_for_once(kind: type[BaseException]) -> None:
    """It may take seconds, and may raise anything."""
    exc, before = Telling(kind()), Telling.asked
    texts = {message(exc), message(exc), capture(exc, redactor=Redactor()).message}

    assert texts == {f"<no message: its __str__ raised {kind.__name__}>"}
    assert Telling.asked == before + 1


def test_an_exceptions_text_that_asks_for_itself_gets_an_answer() -> None:
    """It logs itself, for instance."""

    class Circular(Exception):
        def __str__(self) -> str:
            return f"told: {message(self)}"

    assert message(Circular()) == "told: <no message: its __str__ has not returned>"
