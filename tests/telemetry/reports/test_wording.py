"""How values, texts of strangers and durations are written."""

import math
from typing import Any

import pytest

from telemetry.reports.wording import cut, duration, one_line, printable, size, value_text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 µs"),
        (0.0004, "0 µs"),
        (0.79, "790 µs"),
        (0.9996, "1.0 ms"),
        (1, "1.0 ms"),
        (999.94, "999.9 ms"),
        (999.96, "1.00 s"),
        (1000, "1.00 s"),
        (59_994, "59.99 s"),
        (59_999, "1 min 00.0 s"),
        (60_000, "1 min 00.0 s"),
        (119_999, "2 min 00.0 s"),
        (248_000, "4 min 08.0 s"),
        (7_860_000, "131 min 00.0 s"),
        (math.inf, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(ms: float, text: str) -> None:
    """And is never rounded to 60 seconds or 1000 of anything."""
    assert duration(ms) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (139 * 2**30, "139.0 GiB"),
    ],
)
def test_a_size_has_the_unit_that_suits_it(count: int, text: str) -> None:
    """Up to the memory of a GPU."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        ("", "''"),
        ("it's", '"it\'s"'),
        ("both ' and \"", "'both \\' and \"'"),
        ("a\\b", "'a\\\\b'"),
        ("two\nlines", "'two\\nlines'"),
        (1.5, "1.5"),
        (math.nan, "float('nan')"),
        ([1, "a", None], "[1, 'a', None]"),
        ({"a": {"b": ()}}, "{'a': {'b': []}}"),
        ("<torch.Tensor 2x3 float32 cuda:0>", "<torch.Tensor 2x3 float32 cuda:0>"),
    ],
)
def test_a_value_is_written_as_python_would(value: Any, text: str) -> None:
    """An object, that a snapshot has as a text, without quotes."""
    assert value_text(value, 0) == text


def test_a_value_of_any_depth_is_written() -> None:
    """What others nest a thousand times is cut."""
    value: Any = 1
    for _ in range(5000):
        value = {"a": [value]}
    assert "…" in value_text(value, 0)


@pytest.mark.parametrize(
    "text",
    ["\x1b[31mred\x1b[0m", "\x07", "\x9b31m", "a\u202eb", "\u2066", "\ud800", "\x00", "\u200b"],
)
def test_what_would_steer_a_terminal_is_escaped(text: str) -> None:
    """Also what turns the direction of writing around, and what no encoder takes."""
    for written in (printable(text), one_line(text), value_text(text)):
        assert written.isprintable()
        written.encode()


def test_letters_of_every_script_stay_as_they_are() -> None:
    """They are no attack."""
    assert printable("déjà 夕暮れ 🌅") == "déjà 夕暮れ 🌅"


def test_line_feeds_stay_in_a_text_and_go_from_a_line() -> None:
    """A report decides where its lines end."""
    assert printable("a\nb") == "a\nb"
    assert one_line(" a\n\n b\tc\r\u2028d ") == "a b c d"


def test_a_cut_is_seen() -> None:
    """By its last character; 0 cuts nothing."""
    assert (cut("abcdef", 4), cut("abcd", 4), cut("abcdef", 0)) == ("abc…", "abcd", "abcdef")
