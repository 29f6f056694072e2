"""Cases that somebody hostile has made, each in every form: told, and nothing of them is active."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from telemetry.reports import html, markdown, terminal
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.comparison import html as compared_html
from telemetry.reports.comparison import markdown as compared_markdown
from telemetry.reports.comparison import terminal as compared_terminal
from telemetry.reports.comparison.compare import compare
from telemetry.reports.findings import Investigation
from telemetry.reports.investigate import investigate
from telemetry.reports.progress import moment
from telemetry.reports.sources import blackbox
from tests.telemetry.reports.comparison.test_html import ELEMENTS as COMPARED_ELEMENTS
from tests.telemetry.reports.comparison.test_markdown import OWN_HTML
from tests.telemetry.reports.html.pages import Read
from tests.telemetry.reports.html.test_page import ELEMENTS
from tests.telemetry.reports.recorded import WORKER, Attempted, history, incident
from tests.telemetry.reports.sources.test_blackbox import sealed
from tests.telemetry.reports.strangers import OTHERS, SEALED, Built, attacked


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Record the incident, and take its case apart."""
    attempted = Attempted(spool=tmp_path_factory.mktemp("spool")).run(incident)
    error = attempted.error
    assert error is not None
    kept = ("kind", "type", "message", "file", "line", "function", "place", "event_id")
    row = {
        "error": {name: getattr(error, name) for name in (*kept, "fingerprint", "expression")},
        "span_id": attempted.model().spans[0].span_id.hex(),
        "worker": WORKER,
        "params": {"model_name": "wan", "seed": 1},
    }
    relative = TaskRow(id="other", type="travel_stitch", status="Failed", error_message="fell")
    events = history("inserted", "claimed", "failed", worker_id=WORKER)
    case = attempted.case(row, events=events, relatives=[relative])
    found: Built = msgspec.to_builtins(case, builtin_types=(bytes,))
    return found


@pytest.fixture(scope="module", params=[*SEALED, *OTHERS, "attacks"])
def case(request: pytest.FixtureRequest, built: Built, tmp_path_factory: Any) -> Case:
    """Make a hostile case: read from a black box, where one can hold it."""
    changed = copy.deepcopy(built)
    if request.param not in SEALED:
        OTHERS.get(request.param, lambda _: None)(changed)
        made = msgspec.convert(changed, Case, builtin_types=(bytes,))
        return attacked(made) if request.param == "attacks" else made
    SEALED[request.param](changed)
    content = msgspec.msgpack.encode({"written_ns": 1, "case": changed})
    return blackbox.read(sealed(tmp_path_factory.mktemp("box") / "hostile", content))


@pytest.fixture(scope="module")
def found(case: Case) -> Investigation:
    """Investigate it."""
    return investigate(case)


@pytest.mark.timeout(20)
def test_a_terminal_gets_text_alone(found: Investigation) -> None:
    """No control character, no mark that turns the direction of writing around."""
    check_text(terminal.plain(found))


@pytest.mark.timeout(20)
def test_markdown_has_no_markup_but_its_own(found: Investigation) -> None:
    """No HTML, no image, no control character."""
    check_markdown(markdown.markdown(found))


@pytest.mark.timeout(20)
def test_a_page_has_no_elements_but_its_own(found: Investigation) -> None:
    """No script, no handler, no control character."""
    check_page(html.page(found), ELEMENTS)


@pytest.mark.timeout(20)
def test_json_is_json(found: Investigation) -> None:
    """Of plain values, at any depth."""
    text = json.dumps(msgspec.to_builtins(found), default=str)
    assert json.loads(text)["task"]["attempt"] == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize("others", [True, False], ids=["with a good one", "with itself"])
def test_a_comparison_is_as_harmless(case: Case, built: Built, *, others: bool) -> None:
    """In each of its forms, whatever it is compared with."""
    good = msgspec.convert(built, Case, builtin_types=(bytes,))
    found = compare(case, good if others else case)
    check_text(compared_terminal.plain(found, everything=True))
    check_markdown(compared_markdown.markdown(found))
    check_page(compared_html.page(found), COMPARED_ELEMENTS)
    json.loads(json.dumps(msgspec.to_builtins(found), default=str))


@pytest.mark.parametrize("at_ns", [-(10**30), -(2**63), -1, 0, 2**63 - 1, 2**64, 10**30])
def test_every_number_is_a_moment_or_none(at_ns: int) -> None:
    """A calendar has nine thousand years."""
    assert re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)?", moment(at_ns))


def check_text(text: str) -> None:
    """Check that a text has no control character."""
    assert {char for char in text if not char.isprintable()} <= {"\n"}


def check_markdown(text: str) -> None:
    """Check that Markdown has no markup which is not ours."""
    check_text(text)
    found = list(tokens(text))
    inner = "".join(one.content for one in found if one.type in {"html_block", "html_inline"})
    assert OWN_HTML.sub("", inner) == ""
    assert not {one.type for one in found} & {"image", "s_open", "hr"}


def check_page(text: str, elements: set[str]) -> None:
    """Check that a page has no element which is not ours, and no handler."""
    check_text(text)
    read = Read(text)
    assert {tag for tag, _ in read.elements} <= elements
    assert [name for _, given in read.elements for name in given if name.startswith("on")] == []
    assert sum(tag == "script" for tag, _ in read.elements) <= 1


def tokens(text: str) -> Iterator[Token]:
    """Parse Markdown as GitHub would, and yield every token, inner ones too."""
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        yield token
        yield from token.children or ()
