"""The page of an investigation as text: what it says, in which order, and what it cannot hold."""

import base64
import hashlib
import re

import msgspec
import pytest

from telemetry.reports.findings import FrameFound, Investigation, LinksFound, ParamFound, SourceLine
from telemetry.reports.html import document, page, timeline
from telemetry.reports.moments import BarFound
from tests.telemetry.reports import sample
from tests.telemetry.reports.html.pages import SAMPLES, Read, plain, planted, rendered

# What a page is made of; anything else came in by a hole.
ELEMENTS = {
    *("html", "head", "meta", "link", "title", "style", "body", "script", "header", "nav", "main"),
    *("section", "h1", "h2", "h3", "div", "p", "span", "a", "b", "strong", "em", "code", "pre"),
    *("mark", "wbr", "ol", "ul", "li", "dl", "dt", "dd", "figure", "figcaption", "time"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
    *("button", "label", "input", "select", "option", "output"),
    *("svg", "g", "rect", "line", "text", "circle", "polyline"),
}


def sections(text: str) -> list[str]:
    """Return the ids of a page's sections, in their order."""
    return Read(text).attributes("section", "id")


def test_the_answer_stands_first() -> None:
    """The headline is the sentence that the investigation found."""
    text = rendered("incident")
    headline = re.sub(r"<wbr/>", "", re.findall(r"<h1>(.*?)</h1>", text)[0])
    assert headline.replace("&#x27;", "'") == sample.incident().says


def test_the_place_is_named_and_how_exactly_it_is_known() -> None:
    """The type, the file, the line, the function, and whether it was raised there."""
    told = plain(rendered("incident"))
    assert "AttributeError: 'NoneType' object has no attribute 'get'" in told
    assert "raised at /opt/Wan2GP/ wgp.py:3907 in get_model_min_frames_and_step" in told


def test_a_line_that_only_opened_a_span_is_not_called_the_place_of_the_failure() -> None:
    """Of a process that could not speak, the failure is somewhere below."""
    told = plain(rendered("death"))
    assert "Not the line of the failure: it opened what was at work then." in told


def test_the_sections_are_in_the_order_of_the_questions() -> None:
    """What, where, why; then how far, with what, how surely; then company and next steps."""
    assert sections(rendered("incident")) == [
        "where", "value", "timeline", "stack", "progress", "parameters", "record", "causes",
        "relatives", "same", "good", "previous", "tasks", "model", "environment", "moments",
        "links", "next",
    ]  # fmt: skip


def test_a_task_that_did_not_fail_is_told_where_its_time_went() -> None:
    """Its report begins with that, and has no section about a failure."""
    text = rendered("healthy")
    assert sections(text)[:2] == ["progress", "timeline"]
    assert {"where", "value", "stack", "causes", "same"}.isdisjoint(sections(text))
    assert "model took 4 min 08.0 s, 96%" in plain(text)


def test_the_chain_of_exceptions_is_told_where_there_is_one() -> None:
    """Each with its relation to the one before."""
    found = sample.incident()
    assert found.failure is not None
    first = found.failure.chain[0]
    cause = msgspec.structs.replace(first, type="KeyError", relation="cause", frames=[])
    failure = msgspec.structs.replace(found.failure, chain=[first, cause])
    text = page(msgspec.structs.replace(found, failure=failure))
    assert "chain" in sections(text)
    assert "caused by KeyError" in plain(text)


def test_an_incomplete_record_is_said_to_be_incomplete_before_the_place() -> None:
    """With what is missing and what may be concluded."""
    told = plain(rendered("incomplete"))
    notice, place = told.index("The record is incomplete."), told.index("raised at /opt/Wan2GP/ ")
    assert notice < place
    assert "41 records are missing" in told[notice:place]
    assert "What holds: the failure and its place below" in told[notice:place]
    assert "Where the record ends is not where the task failed" in told[notice:place]


def test_what_an_incomplete_record_counts_is_the_least_that_happened() -> None:
    """Nine iterations that arrived are no nine iterations that were."""
    assert "At least 9 of 32 iterations ended." in plain(rendered("incomplete"))


def test_a_complete_record_has_no_notice() -> None:
    """One that is always there is not read."""
    assert 'class="notice"' not in rendered("incident")


def test_every_verdict_is_a_word() -> None:
    """Nobody needs to tell colours apart."""
    told = plain(rendered("incident"))
    assert told.count("ruled out") >= 7
    assert "? not decidable" in told


def test_a_parameter_that_was_changed_or_not_taken_as_asked_says_so() -> None:
    """The resolution was rounded."""
    rows = re.findall(r"<tr[^>]*data-layer.*?</tr>", rendered("incident"))
    [resolution] = [row for row in rows if ">resolution<" in row]
    assert "changed" in resolution
    assert "not as asked" in resolution
    assert [row for row in rows if ">slg_switch<" in row and "changed" not in row]


def test_a_replay_says_what_it_saw() -> None:
    """Beside the command that makes one."""
    told = plain(page(sample.replayed()))
    assert "Replayed 2026-02-24 15:02:11.000031 UTC : the same failure" in told


@pytest.mark.parametrize("name", SAMPLES)
def test_the_policy_allows_the_pages_own_style_and_script_alone(name: str) -> None:
    """By their digests: nothing else is run or fetched."""
    text = rendered(name)
    [policy] = [one for one in Read(text).attributes("meta", "content") if "default-src" in one]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        [inner] = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("name", [*SAMPLES, "planted"])
def test_only_our_own_markup_is_in_the_page(name: str) -> None:
    """No element, handler, style or address comes from a record."""
    read = Read(page(planted()) if name == "planted" else rendered(name))
    assert {tag for tag, _ in read.elements} <= ELEMENTS
    given = [key for _, attributes in read.elements for key in attributes]
    assert not [key for key in given if key.startswith("on") or key in ("style", "src", "srcdoc")]
    assert [tag for tag, _ in read.elements].count("script") == 1
    for address in read.attributes("a", "href"):
        assert address.startswith(("#", "http://", "https://"))


@pytest.mark.parametrize("name", [*SAMPLES, "planted"])
def test_a_page_can_be_written_and_shown_whatever_it_holds(name: str) -> None:
    """It is UTF-8, without control characters and without marks that turn writing around."""
    text = page(planted()) if name == "planted" else rendered(name)
    text.encode()
    assert not [char for char in set(text) if not char.isprintable() and char != "\n"]


def test_a_link_of_another_scheme_stays_text() -> None:
    """An address in a record may be a script."""
    links = LinksFound(trace_id="1", sentry_event_id="", jaeger="javascript:alert(1)")
    text = page(msgspec.structs.replace(sample.incident(), links=links))
    assert "javascript:alert(1)" in plain(text)
    assert "javascript:" not in "".join(Read(text).attributes("a", "href"))


def test_the_incident_is_a_small_file() -> None:
    """It is sent by mail."""
    assert len(rendered("incident").encode()) < 400_000


def test_a_huge_record_gives_a_page_that_opens() -> None:
    """What is left out is said, and where it is."""
    text = page(huge())
    assert len(text.encode()) < 1_500_000
    told = plain(text)
    assert "frames in between are not shown here" in told
    assert "more parameters are not shown here" in told
    assert "drawn as one bar" in told


def huge() -> Investigation:
    """Return an investigation of which nothing fits."""
    found = sample.incident()
    assert found.failure is not None
    frame = FrameFound(
        file="/app/" + "deep/" * 100,
        line=7,
        function="f",
        locals={f"name_{number}": "x" * 5000 for number in range(500)},
        source=[SourceLine(number=number, text="y" * 2000) for number in range(200)],
    )
    failure = msgspec.structs.replace(found.failure, frames=[frame] * 2000)
    bars = [
        BarFound(
            name="loop iteration", kind="iteration", label=str(n), start_ms=n, end_ms=n + 0.5,
            depth=n % 50, ended="ok",
        )
        for n in range(50_000)
    ]  # fmt: skip
    params = [
        ParamFound(name=f"p{number}", value="z" * 5000, asked=None, default=1, source="model")
        for number in range(5000)
    ]
    timeline = msgspec.structs.replace(found.timeline, bars=bars, length_ms=50_000.0)
    return msgspec.structs.replace(found, failure=failure, timeline=timeline, params=params)


def test_durations_that_no_clock_measured_break_nothing() -> None:
    """A record that someone made may say anything."""
    found = sample.healthy()
    for odd in (float("inf"), float("-inf"), float("nan"), 1e300, -1.0):
        stages = [msgspec.structs.replace(found.stages[0], ms=odd)]
        steps = msgspec.structs.replace(found.steps, ms=[odd])
        bars = [msgspec.structs.replace(found.timeline.bars[0], start_ms=odd, end_ms=odd)]
        timeline = msgspec.structs.replace(
            found.timeline, bars=[*found.timeline.bars, *bars], length_ms=odd, failed_ms=odd
        )
        odd_one = msgspec.structs.replace(found, stages=stages, steps=steps, timeline=timeline)
        assert "Where the time went" in page(odd_one)


def test_the_shell_takes_any_title_and_body() -> None:
    """Other reports are built in it."""
    text = document("a < b", "c & d")
    assert "<title>a &lt; b</title>" in text
    assert "<body>c &amp; d<script>" in text


def test_the_head_says_what_was_raised_once() -> None:
    """The headline has it; the card under it has the exact place."""
    header = rendered("incident").partition("<header")[2].partition("</header>")[0]
    told = plain(f"<body>{header}<script>")
    assert told.count("object has no attribute") == 1
    assert "wgp.py:3907" in told


def test_a_record_that_was_cut_is_marked_and_the_failure_is_by_the_row() -> None:
    """Nothing of a dead process is drawn as at work; the legend says what the marks are."""
    found = sample.incident()
    bars = [
        msgspec.structs.replace(bar, ended="unknown") if bar.kind == "stage" else bar
        for bar in found.timeline.bars
    ]
    drawn = msgspec.structs.replace(
        found.timeline, bars=bars, failed_by="row", record_ends_ms=found.timeline.failed_ms
    )
    told = plain(page(msgspec.structs.replace(found, timeline=drawn)))
    assert "by the queue's row" in told
    assert "the record ends here: not where it failed" in told
    assert "its end is not in the record" in told
    assert "at work" not in told


def test_both_timelines_of_a_comparison_have_a_legend() -> None:
    """The marks are the same there."""
    cut = msgspec.structs.replace(sample.incident().timeline, record_ends_ms=1.0)
    assert "the record ends here" in plain(f"<body>{timeline.legend(cut)}<script>")
