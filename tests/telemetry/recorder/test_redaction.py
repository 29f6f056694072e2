"""Secrets vanish by their form and by their key, and nothing else does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.recorder.attributes import clean
from telemetry.recorder.redaction import (
    LineRedactor,
    Redactor,
    key_rule,
    redacted,
    redacted_lines,
)
from telemetry.recorder.secret_patterns import LONG_WORD, PATTERNS, Pattern


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_patterns_example_loses_its_secret(pattern: Pattern) -> None:
    """By this pattern alone, and by all together."""
    alone = pattern.regex.sub(pattern.replacement, pattern.example)

    assert pattern.secret in pattern.example
    assert pattern.secret not in alone
    assert pattern.secret not in redacted(pattern.example)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_patterns_hints_are_in_its_example(pattern: Pattern) -> None:
    """A text without a hint is not searched."""
    assert any(hint in pattern.example.lower() for hint in pattern.hints)
    assert all(hint == hint.lower() for hint in pattern.hints)
    assert not pattern.sign or any(sign in pattern.example for sign in "=:%")
    assert not pattern.long or max(map(len, pattern.example.split())) >= LONG_WORD


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_a_secret_is_found_in_a_long_text(pattern: Pattern) -> None:
    """Before it and after it are kilobytes, and another secret."""
    text = f"{'words ' * 500}\n{pattern.example}\n{'words ' * 500}\n{pattern.example}"

    assert pattern.secret not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "LOOP [26/32] Getting old value for 'guidance_phases'",
        "'NoneType' object has no attribute 'get'",
        "https://huggingface.co/Kijai/WanVideo_comfy/resolve/main/lora.safetensors?download=true",
        "/srv/models/wan_2_2_i2v_lightning_baseline_2_2_2/model.safetensors",
        "1.2;0",
        "e040ae48-4fa8-4af6-8a57-028277e54ba9",
        "tokenizer: umt5-xxl, max_tokens=512",
        "a basic understanding of keys: monkeys, turkeys",
        "token = None",
        "key=guidance_scale",
        "LOOP [9/32] guidance_scale: 1.0 of the model's own, sorted by key: seed, steps",
        "http://localhost:4318/v1/traces",
        "https://h.example/@someone/video.mp4?width=832&height=480#t=1",
        "pass 2 of 3: 12 keys, compass: north, bypass=none, keyframe=81",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "a risk-averse-disk-cache-of-the-model --max-tokens 512 --device cuda:0",
        "/models/wan/checkpoints/high_noise/diffusion_pytorch_model-00001-of-00006",
        "def step(self, key: str, count: int) -> None:",
        "password: str",
        "def login(user: str, password: str | None = None, token: Optional[str] = None) -> None:",
        "secretary: 'Ada Byron', keyboard: 'qwertz', token_count=512, eos_token='</s>'",
        "tokens = tokenizer(text), secret_name='hf', password_length=16",
        "missing: token=%s password={} api_key == ''",
        "the password is wrong, the token has expired",
        "('prompt', 'a cat'), ('tokenizer', 'umt5-xxl')",
        "postgres://db.example:5432",
        "",
        "a torch bearer walking through the rain; bearers carry lanterns",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Reports are read for these."""
    assert redacted(text) == text


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db_password",
        "SUPABASE_SERVICE_ROLE_KEY",
        "supabase_key.anon_key",
        "apiKey",
        "access-token",
        "Authorization",
        "sentry_dsn",
        "loop26.engine.param.hf_token",
        "SUPABASE_KEY",
        "x-api-key",
        "webhook_url",
        "AccountKey",
        "pwd",
        "auth",
        "cookies",
        "api_keys",
        "passwords",
        "secrets",
        "accesstoken",
        "password2",
        "DB_PASSWORD_PROD",
        "token_hash",
        "SECRET_VALUE",
        "refresh_tokens",
        "X-Api-Key",
    ],
)
def test_what_a_key_calls_secret_is_hidden(key: str) -> None:
    """Whatever its value looks like; a number, too."""
    assert clean({key: "x1"}, Redactor()) == {key: "[redacted]"}
    assert clean({key: 12345}, Redactor()) == {key: "[redacted]"}


@pytest.mark.parametrize(
    "key",
    [
        *("tokens", "max_tokens", "tokenizer", "key", "keyboard", "author", "secretary"),
        *("token_count", "password_length", "secret_name", "eos_token", "pad_token", "keys"),
        *("token_ids", "key_frames", "compass", "access_key_id", "num_text_tokens"),
    ],
)
def test_what_a_key_does_not_call_secret_is_shown(key: str) -> None:
    """Generation is full of tokens and keys."""
    assert clean({key: "x1"}, Redactor()) == {key: "x1"}


@pytest.mark.parametrize(
    "text",
    [
        "connecting with db_password='{}' now",
        "error: headers: token: {}",
        "PGPASSWORD={} AWSSecretKey={}",
        "accessToken: {}",
        '{{"config": "{{\\"db_password\\": \\"{}\\"}}"}}',
        "{{'api_key': '{} with, commas; and (brackets)'}}",
        "https://h.example/a?next=https%3A%2F%2Fb%3Ftoken%3D{}",
        'href="https://h.example/a?x=1&amp;sig={}"',
        "['curl', '-H', 'X-Api-Key: {}']",
        "loop26 --hf-token {} run",
        "AWS_SECRET_ACCESS_KEY={}",
        "PWD={}",
        "DefaultEndpointsProtocol=https;AccountName=loop;AccountKey={}==;EndpointSuffix=x",
        "machine h.example login worker password {}",
        "https://worker:p@ss{}@h.example/x",
        "redis://:{}/x@cache.example:6379/0",
        "Set-Cookie: session={}; HttpOnly",
        "Proxy-Authorization: Key {}",
        'password: str = "{}"',
        'api_key: str = Field(default="{}")',
        'headers["X-Api-Key"] = "{}"',
        'if password == "{}":',
        'password = b"{}"',
        'password = f"{}"',
        'os.environ.get("PASSWORD", "{}")',
        'setattr(settings, "password", "{}")',
        "password%3D{}",
        "https://h.example/?to=%2Fa%26password%3D{}",
        "https://h.example/?token_hash={}&x=1",
        '{{"name": "SUPABASE_KEY", "value": "{}"}}',
        "{{'api_keys': ['one-of-two', '{}']}}",
        '{{"cookies": {{"sid": "{}"}}}}',
        "[('X-Api-Key', '{}')]",
        'login(password=(\n    "{}"))',
        "password='it\\'s {}'",
        "upload '--password' '{} with spaces'",
        "<password>{}</password>",
        "mysql -h db.example -p{}",
        "sshpass -p {} ssh h.example",
    ],
)
def test_a_secret_vanishes_in_the_forms_that_programs_write(text: str) -> None:
    """Environments, command lines, headers, JSON within JSON, encoded and decoded URLs."""
    secret = "q1W2e3R4t5Y6u7I8"  # noqa: S105 - one that was made up
    assert secret not in redacted(text.replace("{}", secret).replace("{{", "{").replace("}}", "}"))


KEY_LINES = [
    "-----BEGIN PRIVATE KEY-----",
    *("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj" for _ in range(4)),
    "x9hKQ81b",
    "-----END PRIVATE KEY-----",
]


@pytest.mark.parametrize("first", range(6))
def test_a_private_key_vanishes_in_a_window_of_lines(first: int) -> None:
    """The source lines around a failure may begin, or end, in the middle of one."""
    after = ["", "raise ValueError(key)"]
    window = [*KEY_LINES, *after][first : first + 7]
    found = redacted_lines(window, 400)
    assert len(found) == len(window)
    assert "MII" not in "".join(found)
    assert "x9hKQ81b" not in "".join(found) or KEY_LINES[-1] not in window
    assert found[-1] == after[-1] or after[-1] not in window


def test_a_private_key_that_is_printed_vanishes_line_by_line() -> None:
    """And what is printed after it is read."""
    redact = LineRedactor()
    found = [redact(line) for line in ["before", *KEY_LINES, "after"]]
    assert found == ["before", *["[redacted]"] * len(KEY_LINES), "after"]


def test_a_key_that_never_ends_hides_no_more_than_a_key_may_have() -> None:
    """A process that prints the first line of one is not silent for ever."""
    redact = LineRedactor()
    found = [redact(line) for line in [KEY_LINES[0], *["a line"] * 200]]
    assert found[-1] == "a line"


def test_a_missing_secret_is_seen_to_be_missing() -> None:
    """None and the empty text are what one looks for."""
    found = clean({"api_key": None, "token": ""}, Redactor())

    assert found == {"api_key": "null", "api_key.is_null": True, "token": ""}


def test_secrets_inside_a_dictionary_are_hidden() -> None:
    """A task's parameters are one JSON text."""
    value = {"a": {"api_key": "x1"}, "b": ["Bearer abcdef123456"]}

    assert clean({"params": value}, Redactor()) == {
        "params": '{"a":{"api_key":"[redacted]"},"b":["Bearer [redacted]"]}'
    }


@pytest.mark.parametrize(
    "key",
    ["prompt", "negative_prompt", "base_prompt", "base_prompts", "loop26.engine.param.prompt"],
)
def test_prompts_are_hidden_when_they_may_not_be_recorded(key: str) -> None:
    """And shown otherwise."""
    assert clean({key: "a cat"}, Redactor()) == {key: "a cat"}
    assert clean({key: "a cat"}, Redactor(record_prompts=False)) == {key: "[prompt hidden]"}
    assert clean({key: ["a cat"]}, Redactor(record_prompts=False)) == {key: "[prompt hidden]"}
    assert clean({"p": {key: "a cat"}}, Redactor(record_prompts=False)) == {
        "p": f'{{"{key}":"[prompt hidden]"}}'
    }


@pytest.mark.parametrize("encoded", [False, True])
def test_a_tasks_parameters_are_cleaned_encoded_or_not(encoded: object) -> None:
    """By key, and they stay JSON."""
    params = {"prompt": "a cat", "seed": 7, "old": None, "api_token": 12345}
    value = json.dumps(params) if encoded else params
    found = clean({"loop26.task.params": value}, Redactor(record_prompts=False))

    assert json.loads(found["loop26.task.params"]) == {
        "prompt": "[prompt hidden]",
        "seed": 7,
        "old": None,
        "api_token": "[redacted]",
    }


@pytest.mark.parametrize("value", [None, "no JSON, api_key=abcdef"])
def test_parameters_that_are_none_are_not_made_up(value: str | None) -> None:
    """A payload may be anything."""
    found = clean({"loop26.task.params": value}, Redactor())

    assert found["loop26.task.params"] in {"null", "no JSON, api_key=[redacted]"}


def test_an_iteration_over_a_prompt_hides_its_values() -> None:
    """There the key is a value."""
    attributes = {
        "loop26.param.key": "negative_prompt",
        "loop26.param.old": "",
        "loop26.param.new": "blurry",
        "loop26.param.source": "task",
    }

    assert clean(attributes, Redactor(record_prompts=False)) == {
        **attributes,
        "loop26.param.new": "[prompt hidden]",
    }


def test_a_value_that_was_shown_once_is_hidden_where_its_key_says_so() -> None:
    """What is remembered of an attribute counts for its own key, and not beside a prompt's."""
    redactor = Redactor(record_prompts=False)
    value = "blurry"
    for _ in range(2):
        seed = {"loop26.param.key": "seed", "loop26.param.new": value}
        prompt = {"loop26.param.key": "negative_prompt", "loop26.param.new": value}
        assert clean(seed, redactor)["loop26.param.new"] == value
        assert clean(prompt, redactor)["loop26.param.new"] == "[prompt hidden]"
        assert clean({"password": value}, redactor) == {"password": "[redacted]"}


def test_a_number_is_hidden_though_an_equal_boolean_was_shown() -> None:
    """True is 1 to a dictionary; under a secret's key only True may be seen."""
    redactor = Redactor()
    for _ in range(2):
        assert clean({"token": True}, redactor) == {"token": True}
        assert clean({"token": 1}, redactor) == {"token": "[redacted]"}


def test_equal_values_of_other_types_stay_what_they_are() -> None:
    """1, 1.0 and True are one to a dictionary, and three to a reader."""
    redactor = Redactor()
    found = [clean({"a": value}, redactor)["a"] for value in (True, 1, 1.0, 0, False, -0.0)]

    assert [type(value) for value in found] == [bool, int, float, int, bool, float]
    assert str(found[-1]) == "-0.0"


_KEYS = st.sampled_from(["a", "api_key", "prompt", "loop26.param.key", "loop26.param.new"])
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(["prompt", "api_key", "seed", "Bearer abcdef123456", "x" * 300, ""]),
    st.lists(st.integers(0, 1), max_size=2),
)
_REMEMBERING = Redactor(record_prompts=False)


@given(st.dictionaries(_KEYS, _VALUES))
def test_what_was_seen_before_changes_no_answer(attributes: dict[str, Any]) -> None:
    """A redactor that has seen everything answers as one that has seen nothing."""
    fresh = clean(attributes, Redactor(record_prompts=False))

    assert repr(clean(attributes, _REMEMBERING)) == repr(fresh)
    assert repr(clean(attributes, _REMEMBERING)) == repr(fresh)


def test_what_is_remembered_has_a_bound() -> None:
    """A process lives for weeks, and times and seeds never repeat."""
    redactor = Redactor()
    for number in range(20_000):
        clean({"seed": number, "text": "x" * 300}, redactor)

    assert 0 < len(redactor.known) < 5_000


@given(st.text())
def test_any_text_can_be_written_and_is_redacted_once(text: str) -> None:
    """A second pass changes nothing; UTF-8 holds the result."""
    once = redacted(text)
    once.encode()

    assert redacted(once) == once


@given(st.text())
def test_any_text_can_be_a_key(key: str) -> None:
    """Parameters are named by users."""
    assert key_rule(key) in {0, 1, 2}
