"""The page of a comparison: two timelines on one scale, and nothing active in it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.reports.comparison.html import page
from tests import browser
from tests.browser import Browser
from tests.telemetry.reports.comparison.test_terminal import ALL, Make, cut, hostile, one, same
from tests.telemetry.reports.html.pages import Read, plain

# What a page is made of; anything else came in by a hole.
ELEMENTS = {
    *("html", "head", "meta", "link", "title", "style", "body", "script", "header", "nav", "main"),
    *("section", "h1", "h2", "h3", "div", "p", "span", "a", "b", "strong", "code", "wbr", "ol"),
    "ul",
    *("li", "dl", "dt", "dd", "figure", "figcaption", "time", "table", "thead", "tbody", "tr"),
    *("th", "td", "details", "summary", "svg", "g", "rect", "line", "text", "polyline", "circle"),
}
TICKS = """[...document.querySelectorAll('figure.drawing svg.timeline')].slice(0, 2).map((one) =>
  [...one.querySelectorAll('.tick')].map((tick) => [tick.textContent, tick.getAttribute('x')]))"""
BARS = """[...document.querySelectorAll('figure.drawing')].map((one) =>
  one.querySelectorAll('.bar').length)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run a browser; a machine without one skips."""
    if not browser.installed():
        pytest.skip(f"needs one of {', '.join(browser.NAMES)} on PATH")
    with browser.running() as running:
        yield running


def opened(chromium: Browser, folder: Path, make: Make) -> Browser:
    """Open the page of a comparison."""
    path = folder / "page.html"
    path.write_text(page(make(folder)), encoding="utf-8")
    return chromium.open(path)


def test_the_answer_stands_first(tmp_path: Path) -> None:
    """As the headline."""
    found = same(tmp_path)
    headline = re.findall(r"<h1>(.*?)</h1>", page(found))[0].replace("<wbr/>", "")
    assert headline.replace("&#x27;", "'").lower() == found.says.lower()


def test_the_sections_are_in_the_order_of_the_questions(tmp_path: Path) -> None:
    """Where they diverge, both in time, both crash points, and then what they were."""
    assert Read(page(same(tmp_path))).attributes("section", "id") == [
        "divergence", "timeline", "crash", "params", "defaults", "lifecycle", "timings",
        "environment",
    ]  # fmt: skip


def test_an_incomplete_record_is_said_at_the_head(tmp_path: Path) -> None:
    """With what that means."""
    assert "B: the record is incomplete (its tail is missing)" in plain(page(cut(tmp_path)))


def test_a_side_without_a_record_has_no_picture_and_says_so(tmp_path: Path) -> None:
    """The other has one."""
    text = page(ALL[3](tmp_path))
    assert text.count('<svg class="timeline"') == 1
    assert "Nothing is recorded of it that could be drawn." in text


@pytest.mark.parametrize("make", ALL)
def test_no_text_of_a_record_becomes_an_element(tmp_path: Path, make: Make) -> None:
    """A script in a name is letters."""
    read = Read(page(make(tmp_path)))
    assert {name for name, _ in read.elements} <= ELEMENTS
    handlers = [key for _, given in read.elements for key in given if key.startswith("on")]
    assert handlers == []


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("width", [1280, 400])
def test_a_page_is_quiet_fetches_nothing_and_fits(
    chromium: Browser, tmp_path: Path, make: Make, width: int
) -> None:
    """No console message, no request but for itself, no scrolling to the side."""
    chromium.view(width)
    opened(chromium, tmp_path, make)
    assert (chromium.heard.console, chromium.heard.exceptions) == ([], [])
    assert chromium.heard.requests == [(tmp_path / "page.html").as_uri()]
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_both_timelines_are_on_one_scale(chromium: Browser, tmp_path: Path) -> None:
    """The same ticks at the same places, though one took three times as long."""
    chromium.view(1280)
    ticks = opened(chromium, tmp_path, one).evaluate(TICKS)
    assert len(ticks) == 2
    assert ticks[0] == ticks[1]
    assert len(ticks[0]) > 2
    assert min(chromium.evaluate(BARS)) > 3


def test_two_failures_are_drawn_once_more_from_their_failure(
    chromium: Browser, tmp_path: Path
) -> None:
    """On one scale, too."""
    text = opened(chromium, tmp_path, same).evaluate(
        "document.querySelector('#timeline').textContent"
    )
    assert "The same around the failures" in text


def test_hostile_text_runs_nothing(chromium: Browser, tmp_path: Path) -> None:
    """Whatever it looks like."""
    opened(chromium, tmp_path, hostile)
    assert chromium.evaluate("document.scripts.length") == 1
    assert chromium.evaluate("document.images.length") == 0
