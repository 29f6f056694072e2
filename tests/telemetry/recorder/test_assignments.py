"""A value vanishes where it stands beside the name of a secret, in every form that ties them."""

import pytest

from telemetry.recorder.assignments import FORMS, Form, without_assigned
from telemetry.recorder.redaction import redacted
from telemetry.recorder.secret_names import NAME_HINTS, PLAIN_KEY, key_rule


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_forms_example_loses_its_secret(form: Form) -> None:
    """By the assignments alone, and in a text of which all patterns are looked for."""
    assert form.secret in form.example
    assert form.secret not in without_assigned(form.example)
    assert form.secret not in redacted(form.example)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_forms_example_is_its_own(form: Form) -> None:
    """What stands around the secret stays: name, quotes, brackets."""
    before, _, after = form.example.partition(form.secret)
    assert without_assigned(form.example) == f"{before}[redacted]{after}"


@pytest.mark.parametrize("hint", NAME_HINTS)
def test_a_name_that_is_looked_for_may_be_a_secrets(hint: str) -> None:
    """A hint that no name needs would be looked for in vain."""
    endings = ("", "word", "_string", "_url", "s", "_id", "entials", "ization")
    names = [
        f"{before}{hint}{after}" for before in ("", "api_", "shared_access_") for after in endings
    ]
    assert any(key_rule(name) != PLAIN_KEY for name in names)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('token="" and seed="5"', 'token="" and seed="5"'),
        ('token="abcd" and seed="5"', 'token="[redacted]" and seed="5"'),
        ("token=[redacted] seed=5", "token=[redacted] seed=5"),
        ('secret: str = "abcd"  # of Ada', 'secret: str = "[redacted]"  # of Ada'),
        ("password='abcd efgh", "password='[redacted]"),
        ('api_keys = [\n    "abcd",\n    "efgh",\n]\nx = 1', "api_keys = [redacted]\n\n\n\nx = 1"),
        ('token = """\nabcd\n"""\nx = 1', 'token = """[redacted]\n\n"""\nx = 1'),
        ("upload --token --fast", "upload --token --fast"),
        ("PGPASSWORD=ab'cd x=1", "PGPASSWORD=[redacted] x=1"),
        ("password=none-of-it seed=1", "password=[redacted] seed=1"),
    ],
)
def test_no_more_than_the_value_vanishes(text: str, shown: str) -> None:
    """And no less; lines stay as many, for source lines are numbered."""
    assert without_assigned(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "token = self.tokenizer(text)[0]",
        "next_token = logits.argmax(-1)[0]",
        "if token == other_token:",
        "auth = make_auth(settings.region)",
        "password = getpass()",
        "f(token=token)",
        "token: Tensor, seed",
        "unexpected token: expected 3 got 4",
        "KeyError: 'token', 'status'",
    ],
)
def test_names_calls_and_words_are_shown(text: str) -> None:
    """The failing line is what a report is for; a secret in it would be a literal."""
    assert without_assigned(text) == text


@pytest.mark.parametrize(
    "text",
    [
        'password = decoded("hunter2hunter2")',
        "password: correcthorse",
        "token: c0rrecth0rse",
        "DB_PASSWORD=correcthorse",
        "token='correcthorse'",
    ],
)
def test_literals_are_hidden(text: str) -> None:
    """In a call too, and where they are words."""
    assert "[redacted]" in without_assigned(text)
    assert "horse" not in without_assigned(text)
    assert "hunter" not in without_assigned(text)
