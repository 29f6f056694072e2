"""A long text costs as much as its length, and where it is cut no half of a secret is left."""

from typing import Any

import pytest

from telemetry.recorder.attributes import LONGEST_TEXT, clean
from telemetry.recorder.exceptions import LONGEST_MESSAGE, message
from telemetry.recorder.locals import STRING_CHARACTERS
from telemetry.recorder.redaction import (
    CUT_EDGE,
    Redactor,
    redacted,
    redacted_lines,
    shortened,
)
from telemetry.recorder.secret_patterns import PATTERNS

from .hostile import shown

PASSWORD = "Correct0Horse1Battery2Staple3"  # noqa: S105 - one that was made up
TEXTS = {
    "URL": f"postgresql://postgres:{PASSWORD}@db.example:5432/postgres",
    "quoted": f"password='{PASSWORD}'",
    "pair": f"('X-Api-Key', '{PASSWORD}')",
    "flag": f"--api-token {PASSWORD} --fast",
    "bearer": f"Authorization: Bearer {PASSWORD}",
    "query": f"https://h.example/o?X-Amz-Signature={PASSWORD}",
    "AWS": f"AKIA{PASSWORD[:12].upper()}0123",
    "Supabase": f"sb_secret_{PASSWORD}",
}


def halves(text: str) -> list[str]:
    """Return the parts of the password, of 8 characters and more, that are in a text."""
    parts = {PASSWORD[at : at + 8] for at in range(len(PASSWORD) - 7)}
    parts |= {part.upper() for part in parts if PASSWORD[:12].find(part) >= 0}
    return [part for part in parts if part in text]


@pytest.fixture(params=TEXTS)
def secret(request: pytest.FixtureRequest) -> str:
    """Return a text with the password in it."""
    return TEXTS[request.param]


@pytest.fixture(params=["plain", "shrinking"])
def filling(request: pytest.FixtureRequest) -> str:
    """Return what a text begins with; of one a redacted text is far shorter."""
    return f"token={'a' * 1500} " if request.param == "shrinking" else ""


# Where the cut may fall: before it, at each place in it, after it.
EVERY_CUT = range(0, 80, 5)


def around(limit: int, filling: str, secret: str, cut: int) -> str:
    """Return a text in which a secret lies `cut` characters before a limit, and goes on after."""
    begun = filling + "x" * (limit - len(filling) - cut - 1)
    return f"{begun} {secret} {'y' * 3 * CUT_EDGE}"


@pytest.mark.parametrize("limit", [2048, 4096, 8192])
@pytest.mark.parametrize("edge", [0, CUT_EDGE])
def test_no_half_is_left_at_a_cut(limit: int, edge: int, filling: str, secret: str) -> None:
    """At the limit, and where the window ends that is looked at."""
    found = [shortened(around(limit + edge, filling, secret, cut), limit) for cut in EVERY_CUT]

    assert [half for text in found for half in halves(text)] == []
    assert all(len(text) < limit + 40 for text in found)


def test_no_half_is_left_of_what_is_cut_elsewhere(filling: str, secret: str) -> None:
    """Messages, attributes, parameters, locals, source lines: each has a limit of its own."""
    found: list[Any] = []
    for cut in EVERY_CUT:
        for edge in (0, CUT_EDGE):
            text = around(LONGEST_MESSAGE + edge, filling, secret, cut)
            found.append(message(RuntimeError(text)))
            found.append(shown(around(STRING_CHARACTERS + edge, filling, secret, cut)))
            found += redacted_lines([around(400 + edge, "", secret, cut), "x = 1"], 400)
    for edge in (0, CUT_EDGE):
        long = around(LONGEST_TEXT + edge, filling, secret, 40)
        found += clean(
            {"a": long, "loop26.task.params": long, "b": {"c": [long]}}, Redactor()
        ).values()

    assert [half for text in found for half in halves(text)] == []


WORST = [
    *(hint * 20_000 for pattern in PATTERNS for hint in pattern.hints),
    *(f"{hint}:" * 20_000 for pattern in PATTERNS for hint in pattern.hints),
    *(pattern.example.partition(pattern.secret)[0] * 5_000 for pattern in PATTERNS),
    *(pattern.example.replace(pattern.secret, "") * 5_000 for pattern in PATTERNS),
    *(f"{pattern.example.partition(pattern.secret)[0]}{'a' * 100_000}" for pattern in PATTERNS),
    "redis://x:" * 20_000,
    "abcd\n" * 20_000 + "x y\n-----END PRIVATE KEY-----",
    ("A" * 64 + "\n") * 3_000 + "!\n-----END",
    "-u," * 50_000,
    "login " * 30_000,
    "mysql " * 30_000,
    "secret_" * 30_000 + "=x",
    "token=(" * 30_000,
    'token=["a' * 20_000,
    "token=[" + "a " * 60_000,
    "token=[{" + "'a', " * 30_000,
    "token: str | " * 15_000,
    "token: list[" * 15_000,
    "'token', " * 20_000,
    "'token', 'value" * 12_000,
    "'token' , " + " " * 100_000,
    "--token" + " " * 100_000 + "--token",
    "<token>" * 20_000,
    "%3dtoken" * 20_000,
    "api " * 40_000,
    "\\" * 100_000 + "'token'",
    "token='" + "\\" * 100_000,
    'token="""' * 12_000,
    'token="""\n' * 12_000,
]


@pytest.mark.timeout(60)
def test_no_text_takes_longer_than_its_length_says() -> None:
    """Each form gets what it is slowest with: quadratic, these would take a quarter of an hour."""
    for text in WORST:
        redacted(text)
