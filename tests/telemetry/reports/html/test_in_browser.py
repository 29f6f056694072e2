"""The page in a real browser: it is quiet, drawn, folds out, is searched, read and printed."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry.reports.findings import Investigation
from telemetry.reports.html import page
from tests.browser import Browser, Scheme
from tests.telemetry.reports import sample
from tests.telemetry.reports.html.pages import SAMPLES, planted
from tests.telemetry.reports.html.scripts import BOXES, CHANGED, FORCED, SHOWN, TEXTS

ROWS = "#parameter-rows > tr"
VISIBLE_ROWS = (
    f"[...document.querySelectorAll('{ROWS}')].filter((row) => row.checkVisibility())"
    ".map((row) => row.querySelector('code').textContent)"
)
COUNT = "document.querySelector('#parameters-count').textContent"


def opened(chromium: Browser, tmp_path: Path, found: Investigation) -> Browser:
    """Open the page of an investigation."""
    file = tmp_path / "report.html"
    file.write_text(page(found), encoding="utf-8")
    return chromium.open(file)


def named(name: str) -> Investigation:
    """Return a sample, or the one that is planted with scripts."""
    found: Investigation = planted() if name == "planted" else getattr(sample, name)()
    return found


def boxes(chromium: Browser, selector: str) -> list[dict[str, float]]:
    """Return where the elements stand on the screen."""
    found: list[dict[str, float]] = chromium.evaluate(f"({BOXES})({selector!r})")
    return found


@pytest.mark.parametrize("name", [*SAMPLES, "planted"])
def test_the_page_is_quiet(chromium: Browser, tmp_path: Path, name: str) -> None:
    """No error, no word on the console, and no request but for the file itself."""
    opened(chromium, tmp_path, named(name))
    chromium.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert chromium.heard.console == []
    assert chromium.heard.exceptions == []
    assert chromium.heard.requests == [(tmp_path / "report.html").as_uri()]


def test_the_timeline_is_drawn(chromium: Browser, tmp_path: Path) -> None:
    """Twice: the whole, and around the failure, where each of the 32 iterations has its bar."""
    opened(chromium, tmp_path, sample.incident())
    assert len(boxes(chromium, "svg.timeline")) == 2
    bars = boxes(chromium, "svg.timeline .bar > rect")
    assert all(box["width"] > 0 and box["height"] > 0 for box in bars)
    last = "figure:last-of-type svg.timeline"
    assert len(boxes(chromium, f"#timeline {last} .bar.iteration > rect")) >= 20


def test_the_failure_is_a_marked_line_at_the_end_of_its_stage(
    chromium: Browser, tmp_path: Path
) -> None:
    """With a word, so that it is not its colour alone."""
    opened(chromium, tmp_path, sample.incident())
    [_, line] = boxes(chromium, ".failure line")
    [*_, stage] = boxes(chromium, ".bar.stage.failed > rect")
    assert line["height"] > 50
    assert abs(line["x"] - stage["right"]) < 3
    assert all(box["width"] > 20 for box in boxes(chromium, ".failure text"))
    assert "failed at" in chromium.evaluate("document.querySelector('.failure text').textContent")


def test_memory_is_drawn_as_a_line(chromium: Browser, tmp_path: Path) -> None:
    """It has a width and a height."""
    opened(chromium, tmp_path, sample.healthy())
    assert all(box["width"] > 5 for box in boxes(chromium, ".memory polyline"))


def test_the_innermost_frame_is_open_and_the_others_fold_out(
    chromium: Browser, tmp_path: Path
) -> None:
    """By a click on them."""
    opened(chromium, tmp_path, sample.incident())
    state = "[...document.querySelectorAll('#stack details')].map((one) => one.open)"
    assert chromium.evaluate(state) == [True, False, False, False]
    chromium.click("#stack details:nth-of-type(2) > summary")
    assert chromium.evaluate(state) == [True, True, False, False]
    assert chromium.evaluate(
        "document.querySelector('#stack details:nth-of-type(2) table').checkVisibility()"
    )


def test_a_frame_folds_out_by_keyboard(chromium: Browser, tmp_path: Path) -> None:
    """As a summary does, once it has the focus."""
    opened(chromium, tmp_path, sample.incident())
    second = "document.querySelector('#stack details:nth-of-type(2)')"
    chromium.evaluate(f"{second}.querySelector('summary').focus()")
    chromium.press("Enter")
    assert chromium.evaluate(f"{second}.open")


def test_all_frames_fold_out_and_in_by_a_button(chromium: Browser, tmp_path: Path) -> None:
    """For those who read them all."""
    opened(chromium, tmp_path, sample.incident())
    state = "[...document.querySelectorAll('#stack details')].map((one) => one.open)"
    chromium.click("[data-fold=open]")
    assert chromium.evaluate(state) == [True] * 4
    chromium.click("[data-fold=close]")
    assert chromium.evaluate(state) == [False] * 4


def test_search_finds_a_parameter_and_hides_the_others(chromium: Browser, tmp_path: Path) -> None:
    """By a part of its name; the count says how many are left."""
    opened(chromium, tmp_path, sample.incident())
    assert chromium.evaluate(COUNT) == "32 of 32"
    chromium.type("#parameters-search", "flow_SH")
    assert chromium.evaluate(VISIBLE_ROWS) == ["flow_shift"]
    assert chromium.evaluate(COUNT) == "1 of 32"


def test_search_that_finds_nothing_says_so(chromium: Browser, tmp_path: Path) -> None:
    """An empty table could be a fault."""
    opened(chromium, tmp_path, sample.incident())
    chromium.type("#parameters-search", "no such thing")
    assert chromium.evaluate(VISIBLE_ROWS) == []
    assert chromium.evaluate("document.querySelector('#parameters-none').checkVisibility()")


def test_parameters_are_filtered_by_their_layer(chromium: Browser, tmp_path: Path) -> None:
    """Each layer that set one is offered."""
    found = sample.incident()
    layer = next(one.source for one in found.params if one.name == "seed")
    opened(chromium, tmp_path, found)
    chromium.evaluate(
        "(() => { const layer = document.querySelector('#parameters-layer');"
        f"layer.value = {layer!r}; layer.dispatchEvent(new Event('change')); }})()"
    )
    assert chromium.evaluate(VISIBLE_ROWS) == [
        one.name for one in found.params if one.source == layer
    ]


def test_only_the_changed_parameters_can_be_shown(chromium: Browser, tmp_path: Path) -> None:
    """Those that differ from the model's default."""
    opened(chromium, tmp_path, sample.incident())
    chromium.click("#parameters-changed")
    shown = chromium.evaluate(VISIBLE_ROWS)
    assert "resolution" in shown
    assert "slg_switch" not in shown


def test_without_scripts_everything_is_there_and_nothing_is_offered_that_would_not_work(
    chromium: Browser, tmp_path: Path
) -> None:
    """The filter and the buttons come with the script."""
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    opened(chromium, tmp_path, sample.incident())
    chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(chromium.evaluate(VISIBLE_ROWS)) == 32
    assert not chromium.evaluate(
        "[...document.querySelectorAll('button, input, select')].some((it) => it.checkVisibility())"
    )


def test_the_replay_command_can_be_copied(chromium: Browser, tmp_path: Path) -> None:
    """Or is selected, where the browser does not let a page copy."""
    opened(chromium, tmp_path, sample.incident())
    chromium.click("[data-copy]")
    said = chromium.evaluate(f"({CHANGED})('[data-copy]', 'Copy')")
    assert said in ("Copied", "Selected")


@pytest.mark.parametrize("name", ["hostile", "planted"])
def test_nothing_that_a_record_holds_is_run(chromium: Browser, tmp_path: Path, name: str) -> None:
    """The page is whole all the same: from the headline to the last section."""
    opened(chromium, tmp_path, named(name))
    chromium.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    assert chromium.evaluate("typeof window.pwned") == "undefined"
    last = "document.querySelector('main > section:last-child h2').checkVisibility()"
    assert chromium.evaluate(last)
    assert chromium.evaluate("document.querySelectorAll('script, style').length") == 2


def test_the_policy_stops_what_would_get_past_the_escaping(
    chromium: Browser, tmp_path: Path
) -> None:
    """A second wall: markup that is put into the page by force does not run."""
    opened(chromium, tmp_path, sample.incident())
    chromium.evaluate(f"({FORCED})()")
    assert chromium.evaluate("typeof window.pwned") == "undefined"
    color = chromium.evaluate("getComputedStyle(document.querySelector('#forced')).color")
    assert color != "rgb(255, 0, 0)"


@pytest.mark.parametrize("name", [*SAMPLES, "planted"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(
    chromium: Browser, tmp_path: Path, name: str, width: int
) -> None:
    """What is wider scrolls in itself, folded out too."""
    chromium.view(width)
    opened(chromium, tmp_path, named(name))
    chromium.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    assert chromium.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["incident", "incomplete", "death", "healthy", "running"])
def test_every_text_can_be_read(
    chromium: Browser, tmp_path: Path, name: str, scheme: Scheme
) -> None:
    """Its contrast is at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    chromium.view(1280, scheme=scheme)
    opened(chromium, tmp_path, named(name))
    texts: list[Any] = chromium.evaluate(TEXTS)
    assert len(texts) > 150
    assert [text for text in texts if text[0] < 4.5] == []


def test_the_schemes_differ(chromium: Browser, tmp_path: Path) -> None:
    """The page follows what its reader prefers."""
    opened(chromium, tmp_path, sample.incident())
    seen = set()
    for scheme in ("light", "dark"):
        chromium.view(1280, scheme=scheme)
        seen.add(chromium.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert seen == {"rgb(255, 255, 255)", "rgb(20, 23, 27)"}


def test_on_paper_every_fold_is_open_and_what_is_only_for_screens_is_gone(
    chromium: Browser, tmp_path: Path
) -> None:
    """By the style alone: a script may be off."""
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    opened(chromium, tmp_path, sample.incident())
    chromium.paper()
    assert all(box["height"] > 0 for box in boxes(chromium, "details table"))
    assert boxes(chromium, "nav")[0]["height"] == 0


def test_after_printing_the_folds_are_as_they_were(chromium: Browser, tmp_path: Path) -> None:
    """The script that opened them closes them again."""
    opened(chromium, tmp_path, sample.incident())
    state = "[...document.querySelectorAll('details')].map((one) => one.open)"
    before = chromium.evaluate(state)
    chromium.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert chromium.evaluate(state) == before


def test_the_first_stop_of_the_keyboard_leads_past_the_contents(
    chromium: Browser, tmp_path: Path
) -> None:
    """To the report."""
    opened(chromium, tmp_path, sample.incident())
    chromium.press("Tab")
    assert chromium.evaluate("document.activeElement.getAttribute('href')") == "#report"


def test_every_entry_of_the_contents_leads_somewhere(chromium: Browser, tmp_path: Path) -> None:
    """To a heading that is there."""
    opened(chromium, tmp_path, sample.incident())
    assert chromium.evaluate(
        "[...document.querySelectorAll('nav a')].every((one) => document.querySelector(one.hash))"
    )


@pytest.mark.parametrize("width", [390, 600])
def test_a_phone_folds_the_contents_away(chromium: Browser, tmp_path: Path, width: int) -> None:
    """One line, that opens them, is left between the facts and the source."""
    chromium.view(width)
    opened(chromium, tmp_path, sample.incident())
    entry = "document.querySelector('nav a').checkVisibility()"
    assert not chromium.evaluate(entry)
    assert boxes(chromium, "nav")[0]["height"] < 70
    chromium.click("nav summary")
    assert chromium.evaluate(entry)


@pytest.mark.parametrize("width", [700, 1280])
def test_a_wide_screen_shows_the_contents(chromium: Browser, tmp_path: Path, width: int) -> None:
    """And nothing that would fold them."""
    chromium.view(width)
    opened(chromium, tmp_path, sample.incident())
    assert chromium.evaluate("document.querySelector('nav a').checkVisibility()")
    assert not chromium.evaluate("document.querySelector('nav summary').checkVisibility()")


def test_contents_suit_a_screen_that_is_turned(chromium: Browser, tmp_path: Path) -> None:
    """On a wide one nothing is there to open them by."""
    chromium.view(390)
    opened(chromium, tmp_path, sample.incident())
    chromium.view(900)
    assert chromium.evaluate(f"({SHOWN})('nav a')")


def test_without_scripts_a_phone_shows_the_contents(chromium: Browser, tmp_path: Path) -> None:
    """They are open as they are written, and fold away by their summary."""
    chromium.view(390)
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    opened(chromium, tmp_path, sample.incident())
    chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    assert chromium.evaluate("document.querySelector('nav a').checkVisibility()")


def test_headings_go_down_one_level_at_a_time(chromium: Browser, tmp_path: Path) -> None:
    """One of the first level, and none skipped."""
    opened(chromium, tmp_path, sample.incident())
    levels = chromium.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_failure_without_a_stack_has_no_folds_of_frames(
    chromium: Browser, tmp_path: Path
) -> None:
    """And says why."""
    found = sample.death()
    assert found.failure is not None
    bare = msgspec.structs.replace(
        found, failure=msgspec.structs.replace(found.failure, frames=[], chain=[], values=[])
    )
    opened(chromium, tmp_path, bare)
    assert boxes(chromium, "#stack details") == []
    said = chromium.evaluate("document.querySelector('#stack').textContent")
    assert "None: the process ended without leaving a stack" in said
