"""A comparison as Markdown: what it says, and that nothing which it holds becomes markup."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from telemetry.reports.comparison.markdown import markdown
from telemetry.reports.comparison.value import ComparedFound
from telemetry.reports.markdown import blocks as md
from tests.telemetry.reports.comparison.test_terminal import (
    ALL,
    Make,
    hostile,
    one,
    same,
    strangers,
)

HEADINGS = [
    "The first divergence",
    "Crash points",
    "Parameters at the crash point",
    "Model defaults",
    "Lifecycle",
    "Timings",
    "Environment",
]
OWN_HTML = re.compile(r"<details>\n<summary><code>[^<>\n]*</code></summary>\n|</details>\n?")
LINKED = re.compile(r"@\w|#\d|\bGH-\d|https?://|\bwww\.\w", re.IGNORECASE)


def tokens(text: str) -> Iterator[Token]:
    """Parse a text as GitHub would."""
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        yield token
        yield from token.children or []


def headings(text: str) -> list[str]:
    """Return the headings of sections."""
    found = list(tokens(text))
    return [
        found[at + 1].content
        for at, token in enumerate(found)
        if token.type == "heading_open" and token.tag == "h2"
    ]


def test_it_says_the_answer_and_has_every_section(tmp_path: Path) -> None:
    """In the order in which one asks."""
    text = markdown(same(tmp_path))
    assert text.startswith("# Comparison: the same failure\n")
    assert "they differ in seed, stage model (time)**" in text
    assert headings(text) == HEADINGS


def test_a_parameter_that_differs_is_in_a_table(tmp_path: Path) -> None:
    """With both values, their type and layer."""
    row = "| \N{NOT EQUAL TO} | `seed` | `789` | `12345` | int | segment | value |"
    assert row in markdown(same(tmp_path)).splitlines()


def test_what_differs_and_matters_stands_first(tmp_path: Path) -> None:
    """Of good against failed, the failure."""
    section = markdown(one(tmp_path)).partition("## Lifecycle")[2].partition("##")[0]
    assert section.splitlines()[4] == "| \N{NOT EQUAL TO} | status | `Failed` | `Complete` |"


@pytest.mark.parametrize("make", ALL)
def test_every_row_of_a_table_has_all_its_cells(tmp_path: Path, make: Make) -> None:
    """A pipe in a value ends no cell."""
    tables = [
        [len(re.findall(r"(?<!\\)\|", line)) for line in part.splitlines() if line[:2] == "| "]
        for part in markdown(make(tmp_path)).split("\n\n")
        if part.startswith("| ")
    ]
    assert len(tables) >= 5
    assert [len(set(table)) for table in tables] == [1] * len(tables)


@pytest.mark.parametrize("make", [hostile, strangers])
def test_nothing_that_is_told_becomes_markup(tmp_path: Path, make: Make) -> None:
    """No HTML but the folds, no heading but ours, no image, no link, nobody mentioned."""
    text = markdown(make(tmp_path))
    found = list(tokens(text))
    html = "".join(one.content for one in found if one.type in {"html_block", "html_inline"})
    assert OWN_HTML.sub("", html) == ""
    assert set(headings(text)) <= {*HEADINGS, "Parameters", "What was asked"}
    assert not {one.type for one in found} & {"image", "s_open", "hr", "link_open"}
    texts = [one.content for one in found if one.type == "text"]
    assert [text for text in texts if LINKED.search(text)] == []


def test_a_comparison_that_is_too_long_for_a_comment_is_cut(tmp_path: Path) -> None:
    """With a word about it."""
    rows = [ComparedFound(name=f"fact {n}", a="x" * 900, b="y" * 900) for n in range(3000)]
    text = markdown(msgspec.structs.replace(same(tmp_path), environment=rows))
    assert len(text) <= md.MOST
    assert "left out" in text
