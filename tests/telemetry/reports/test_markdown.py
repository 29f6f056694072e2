"""The report as Markdown, read back by a parser of the dialect that GitHub speaks."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from telemetry.reports.findings import Investigation
from telemetry.reports.markdown import blocks as md
from telemetry.reports.markdown import markdown as as_markdown

from . import sample

SAMPLES = (
    sample.incident,
    sample.incomplete,
    sample.death,
    sample.healthy,
    sample.running,
    sample.replayed,
    sample.hostile,
    sample.huge,
)
OWN_HTML = re.compile(r"<details>\n<summary><code>[^<>\n]*</code></summary>\n|</details>\n?")
LINKED = re.compile(r"@\w|#\d|\bGH-\d|https?://|\bwww\.\w", re.IGNORECASE)

SUMMARY = """\
# `travel_segment` `78cd8678-9fa3-4d06-a081-dd8fc90ff35f`: `Failed`

## Executive summary

**AttributeError: 'NoneType' object has no attribute 'get'; model_def was None; raised at \
/opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step, after all 32 iterations of the \
parameter loop, in stage parameters**

- 2026-02-24T14:31:53.561204Z, attempt 1 on gpu-20260210_155915-58372e0e
- loop 32 of 32
- record complete
- 1 other attempt failed so
- 13 other tasks fell with it
- where: `raised at /opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step`
- `model_def` was `None`, assigned at /opt/Wan2GP/wgp.py:3906 in get_model_min_frames_and_step: \
get_model_def(model_type)
- `model_type` was `''`, passed at /opt/Wan2GP/preflight.py:63 in check_frames as \
settings.get('model', '')
"""
HEADINGS = [
    "Executive summary",
    "Tasks involved",
    "Root cause and code location",
    "Timeline around the failure",
    "How far it got",
    "Model and key parameters",
    "Every parameter",
    "Model defaults",
    "The record",
    "Comparison with the previous failure",
    "The same failure, and whom this one took down",
    "The last good run",
    "Possible causes",
    "Environment",
    "Links and replay",
    "Recommended next steps",
]


@functools.cache
def rendered(make: Callable[[], Investigation]) -> str:
    """Return the report of a sample."""
    return as_markdown(make())


def tokens(text: str) -> Iterator[Token]:
    """Parse, with tables and HTML allowed as on GitHub, and yield every token, inner ones too."""
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        yield token
        yield from token.children or ()


def headings(text: str, tag: str = "h2") -> list[str]:
    """List the headings of a level."""
    found = list(tokens(text))
    pairs = itertools.pairwise(found)
    return [after.content for one, after in pairs if (one.type, one.tag) == ("heading_open", tag)]


def table_under(text: str, title: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, as they are rendered."""
    part = re.split(rf"^#+ {re.escape(title)}$", text, flags=re.MULTILINE)[1]
    rows: list[list[str]] = []
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(part):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append("".join(one.content for one in token.children or ()))
        elif token.type == "table_close":
            break
    return rows


def test_it_begins_with_the_answer() -> None:
    """What failed, where, which value, how far, and who fell with it."""
    assert rendered(sample.incident).startswith(SUMMARY)


def test_it_has_every_section_that_one_would_write_by_hand() -> None:
    """In one order."""
    assert headings(rendered(sample.incident)) == HEADINGS


def test_it_tells_of_every_task_involved() -> None:
    """Who created, claimed and returned it, and what became of it."""
    rows = table_under(rendered(sample.incident), "Tasks involved")
    assert rows[0] == [
        *("task", "type", "status", "created", "claimed", "returned", "worker", "error")
    ]
    assert rows[2][:2] == [sample.PARENT, "travel_orchestrator"]
    assert len(rows) == 1 + 14


def test_the_failing_line_is_marked_in_the_source() -> None:
    """With its number, in a block of code."""
    [source] = [one.content for one in tokens(rendered(sample.incident)) if one.info == "python"]
    [marked] = [line for line in source.splitlines() if line.startswith(">")]
    assert marked == '> 3907      frames_minimum = model_def.get("frames_minimum", 5)'


def test_the_timeline_is_told_to_the_microsecond_records_and_logs_together() -> None:
    """By their distance from the failure."""
    [told] = [one.content for one in tokens(rendered(sample.incident)) if one.info == "text"]
    lines = told.splitlines()
    assert lines[1].startswith(" -4.114  2026-02-24T14:31:53.557090Z  log ")
    assert lines[3].startswith(" +0.000  2026-02-24T14:31:53.561204Z  failure ")
    assert lines[5].endswith("queue                failed status Failed")


def test_it_tells_every_parameter_with_its_layer() -> None:
    """And what was asked and what the model's default is."""
    rows = table_under(rendered(sample.incident), "Every parameter")
    assert len(rows) == 1 + 32
    assert ["resolution", "'896x496'", "'902x508'", "'832x480'", "orchestrator"] in rows


def test_it_tells_the_loras_with_their_multipliers() -> None:
    """As they were asked, a number for each phase."""
    rows = table_under(rendered(sample.incident), "LoRAs")
    assert rows[1] == ["high_noise.safetensors", "1.2;0"]


def test_it_says_whether_the_defaults_were_changed() -> None:
    """By their digests."""
    assert "- the loop did not change them" in rendered(sample.incident)
    changed = msgspec.structs.replace(sample.incident().defaults, digest_after="0" * 64)
    found = msgspec.structs.replace(sample.incident(), defaults=changed)
    assert "- **they changed in the loop**" in as_markdown(found)


def test_it_compares_with_the_previous_failure() -> None:
    """What is equal too."""
    text = rendered(sample.incident)
    rows = table_under(text, "Comparison with the previous failure")
    assert ["place", "'wgp.py:3907'", "the same"] in rows
    assert ["segment_index", "0", "2"] in rows
    assert "**It is the same failure.**" in text


def test_each_possible_cause_has_a_verdict_and_its_evidence() -> None:
    """All eight."""
    rows = table_under(rendered(sample.incident), "Possible causes")
    assert len(rows) == 1 + 8
    assert [cell for cell in rows[1] if cell][:2] == ["timeout or hang in the loop", "ruled out"]


def test_an_incomplete_record_is_a_warning_above_everything_else() -> None:
    """What may be concluded and what may not."""
    text = rendered(sample.incomplete)
    warned = text.index("> **The record is incomplete: 41 records lost, 117 bytes damaged.**")
    assert warned < text.index("## Tasks involved")
    assert "Where the record ends is not where the task failed." in text
    assert "last iteration that arrived: 9, `guidance_scale`" in text
    assert "- loop 9 of 32" not in text


def test_a_death_says_that_its_place_is_not_the_line() -> None:
    """It is the line that opened what was at work."""
    text = rendered(sample.death)
    assert "- place: `opened at /app/worker/engines/denoise.py:88 in run`" in text
    assert "- not the line of the failure: it opened what was at work then" in text
    assert "CUDA error: an illegal memory access" in text


def test_what_did_not_fail_tells_where_the_time_went() -> None:
    """The longest stage first, and nothing of causes."""
    text = rendered(sample.healthy)
    assert [row[0] for row in table_under(text, "Where the time went")][:3] == [
        *("stage", "model", "generate")
    ]
    assert not {"Root cause and code location", "Possible causes"} & set(headings(text))


@pytest.mark.parametrize("make", SAMPLES, ids=lambda make: make.__name__)
def test_it_fits_a_comment_and_can_be_written(make: Callable[[], Investigation]) -> None:
    """65,536 characters, no control characters, no half of an emoji."""
    text = rendered(make)
    assert len(text) <= 65_536
    assert {char for char in text if not char.isprintable()} <= {"\n"}
    assert text.encode()


@pytest.mark.parametrize("make", [sample.incident, sample.hostile, sample.huge])
def test_nothing_that_is_told_becomes_markup(make: Callable[[], Investigation]) -> None:
    """No HTML but the folds, no heading but ours, no image, no strike-through, no rule."""
    text = rendered(make)
    found = list(tokens(text))
    html = "".join(one.content for one in found if one.type in {"html_block", "html_inline"})
    assert OWN_HTML.sub("", html) == ""
    assert set(headings(text)) <= set(HEADINGS)
    assert len(headings(text, "h1")) == 1
    assert not {one.type for one in found} & {"image", "s_open", "hr"}


def test_hostile_text_makes_no_link_and_mentions_nobody() -> None:
    """GitHub looks for them in whatever is not code."""
    found = list(tokens(rendered(sample.hostile)))
    assert not [one for one in found if one.type == "link_open"]
    texts = [one.content for one in found if one.type == "text"]
    assert [LINKED.findall(text) for text in texts if LINKED.search(text)] == []


def test_every_row_of_a_table_has_all_its_cells() -> None:
    """A pipe in a value ends no cell."""
    tables = [
        [len(re.findall(r"(?<!\\)\|", line)) for line in part.splitlines() if line[:2] == "| "]
        for part in rendered(sample.hostile).split("\n\n")
        if part.startswith("| ")
    ]
    assert len(tables) > 10
    assert [len(set(table)) for table in tables] == [1] * len(tables)


def test_a_link_that_is_plain_can_be_followed() -> None:
    """Jaeger's and Sentry's."""
    links = [one for one in tokens(rendered(sample.incident)) if one.type == "link_open"]
    assert [one.attrs["href"] for one in links] == [
        sample.incident().links.jaeger,
        sample.incident().links.sentry,
    ]


def test_what_is_too_long_is_cut_with_a_word_about_it() -> None:
    """And every section is still there."""
    text = rendered(sample.huge)
    assert re.search(r"\*… [\d,]+ more \w+ left out\.\*", text)
    assert headings(text) == HEADINGS


@pytest.mark.parametrize(
    "text",
    [
        *sample.ATTACKS[4:],
        "a\\|b\\",
        "`",
        "``x`",
        "1. one",
        "- item",
        "+ item",
        "=== ",
        "_a_ __b__ ~~c~~ $x$ $`x`$",
        "a&amp;b &#64;x <!-- c",
        "[^1]: note",
        "\\",
    ],
)
def test_words_and_code_are_read_as_they_were_meant(text: str) -> None:
    """In a paragraph and in a cell, whatever they hold."""
    shown = " ".join(md.printable(text).split())
    document = md.joined([md.paragraph(md.prose(text)), md.paragraph(md.code(text))])
    cells = md.joined([md.table(("a", "b"), [(md.prose(text), md.code(text))])])
    for each in (document, cells):
        inner = [one for one in tokens(each) if one.type == "inline"][-2:]
        read = ["".join(part.content for part in one.children or ()) for one in inner]
        assert [one.replace("\u2060", "") for one in read] == [shown, shown]


def test_a_fence_is_longer_than_any_within() -> None:
    """Code that holds fences stays code."""
    [block] = tokens(str(md.fence(["```", "````", "~~~", "# x"])))
    assert (block.type, block.content) == ("fence", "```\n````\n~~~\n# x\n")


def test_the_largest_block_is_cut_first() -> None:
    """What is small stays whole."""
    small, large = md.bullets(["one", "two"]), md.fence(["x" * 100] * 100)
    text = md.joined([small, large], 3000)
    assert len(text) <= 3000
    assert text.startswith("- one\n- two\n\n```text\n")
    assert text.endswith("*… 75 more lines left out.*\n")
