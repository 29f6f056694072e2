"""What a running worker shows: JSON lines that programs read, and a terminal that people do."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console as RichConsole

from worker.console import JsonConsole, TerminalConsole
from worker.task import Task, TaskStatus
from worker.wording import clock

ID = UUID("11111111-2222-4333-8444-555555555555")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
NOW = datetime(2026, 2, 24, 14, 10, 34, tzinfo=UTC)


def a_task(attempts: int = 1) -> Task:
    """Make a claimed task."""
    return Task(
        id=ID,
        task_type="travel_segment",
        params={"segment_index": 2},
        status=TaskStatus.IN_PROGRESS,
        dependant_on=(),
        parent_id=None,
        project_id=None,
        idempotency_key=None,
        trace_context=None,
        process_context=None,
        attempts=attempts,
        deaths=0,
        worker_id="w",
        output_location=None,
        error_message=None,
        error=None,
        result_data=None,
        progress=None,
        created_at=NOW,
        updated_at=NOW,
        generation_started_at=None,
        generation_processed_at=None,
    )


def told(console: JsonConsole | TerminalConsole) -> None:
    """Tell a console a whole task."""
    console.ready({"kind": "cpu", "name": "CPU"})
    console.claimed(a_task(attempts=2))
    console.progress(ID, "generate", 3, 6, 0.5, 12.34)
    console.settled(ID, "Failed", "no such picture: [bold].png", None, 75.2)
    console.note("warning", "the queue cannot be reached", tries=3)
    console.close()


def json_lines() -> list[dict[str, Any]]:
    """Tell a JSON console a whole task and read its lines."""
    stream = io.StringIO()
    told(JsonConsole(stream, now=lambda: NOW))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def terminal_text(*, terminal: bool) -> str:
    """Tell a terminal console a whole task and read all that it wrote."""
    stream = io.StringIO()
    told(TerminalConsole(RichConsole(file=stream, force_terminal=terminal, width=100)))
    return stream.getvalue()


def test_each_call_is_one_json_object_a_line() -> None:
    """With time, level and event first."""
    lines = json_lines()
    assert [line["event"] for line in lines] == ["ready", "claimed", "progress", "settled", "note"]
    for line in lines:
        assert list(line)[:3] == ["time", "level", "event"]
        assert line["time"] == "2026-02-24T14:10:34.000+00:00"


def test_a_json_line_has_all_that_the_call_had() -> None:
    """Nothing is only for people."""
    _, claimed, progress, settled, note = json_lines()
    assert claimed["task_id"] == str(ID)
    assert (claimed["task_type"], claimed["attempt"]) == ("travel_segment", 2)
    assert (progress["stage"], progress["step"], progress["steps"]) == ("generate", 3, 6)
    assert (progress["fraction"], progress["eta_s"]) == (0.5, 12.3)
    assert (settled["outcome"], settled["seconds"]) == ("Failed", 75.2)
    assert (note["level"], note["tries"]) == ("warning", 3)


def test_the_lines_of_a_task_lead_to_its_trace() -> None:
    """To the `process` span of this attempt, from the claim to the end; those outside of it not."""
    stream = io.StringIO()
    console = JsonConsole(stream)
    console.ready({})
    context = f"00-{'ab' * 16}-{'cd' * 8}-01"
    console.claimed(replace(a_task(), process_context=context))
    console.progress(ID, "generate", 1, 2, 0.5, None)
    console.note("warning", "a task hangs")
    console.settled(ID, "Failed", "", None, 1.0)
    console.note("info", "recycled")
    first, *of_task, last = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["trace_id"], line["span_id"]) for line in of_task] == [("ab" * 16, "cd" * 8)] * 4
    assert "trace_id" not in {**first, **last}


OTHER = UUID(int=ID.int + 1)


def two_told(console: JsonConsole | TerminalConsole) -> None:
    """Tell a console of two tasks, of which the first is settled while the second runs."""
    contexts = [f"00-{digit * 32}-{digit * 16}-01" for digit in "ab"]
    console.claimed(replace(a_task(), process_context=contexts[0]))
    second = replace(a_task(), id=OTHER, task_type="travel_stitch", process_context=contexts[1])
    console.claimed(second)
    console.settled(ID, "Complete", "", None, 1.0)
    console.progress(OTHER, "generate", 3, 6, 0.5, None)
    console.settled(OTHER, "Complete", "", None, 1.0)
    console.note("info", "recycled")


def test_the_lines_of_two_tasks_lead_each_to_its_own_trace() -> None:
    """The first is uploaded while the second runs."""
    stream = io.StringIO()
    two_told(JsonConsole(stream))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("trace_id", "-")[0] for line in lines] == list("ababb-")


def test_a_settled_task_takes_no_other_ones_line_away() -> None:
    """Each is told by its own name, and what moves goes on."""
    stream = io.StringIO()
    two_told(TerminalConsole(RichConsole(file=stream, force_terminal=True, width=100)))
    first, rest = stream.getvalue().split("complete", maxsplit=1)
    assert "travel_segment" in first
    assert "travel_stitch" in rest
    assert "step 3/6" in rest


@pytest.mark.parametrize(
    ("encoding", "fact", "read"),
    [
        ("utf-8", "two\nlines\u2028and\x85more\x00", "two\nlines\u2028and\x85more\x00"),
        ("utf-8", "half \ud83d of a pair", "half \ud83d of a pair"),
        ("ascii", "Überläufer", "Überläufer"),
        ("utf-8", float("nan"), "NaN"),
        ("utf-8", {1j: "no key", "key": b"bytes"}, {"key": "b'bytes'"}),
    ],
)
def test_whatever_is_told_is_one_object_on_one_line(encoding: str, fact: Any, read: Any) -> None:
    """And the next line comes as ever."""
    kept = io.BytesIO()
    stream = io.TextIOWrapper(kept, encoding=encoding, newline="\n")
    console = JsonConsole(stream)
    console.note("info", "odd", fact=fact)
    console.note("info", "next")
    odd, after = kept.getvalue().decode(encoding).split("\n")[:-1]
    assert json.loads(odd, parse_constant=pytest.fail)["fact"] == read
    assert json.loads(after)["message"] == "next"


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        ("Complete", "info"),
        ("Failed", "error"),
        ("Queued", "warning"),
        ("Cancelled", "info"),
        ("In Progress", "info"),
        ("superseded", "warning"),
    ],
)
def test_the_level_of_an_ending_tells_whether_to_look(outcome: str, level: str) -> None:
    """Error for what is lost, warning for what did not come off, info for what was asked."""
    stream = io.StringIO()
    JsonConsole(stream).settled(ID, outcome, "", None, 1.0)
    line = json.loads(stream.getvalue())
    assert (line["outcome"], line["level"]) == (outcome, level)


@pytest.mark.parametrize(
    ("outcome", "sentence", "words"),
    [
        ("Complete", "", "complete"),
        ("Failed", "no such model", "failed  no such model"),
        ("Queued", "again in 2 s", "queued  again in 2 s"),
        ("Cancelled", "by its user", "cancelled  by its user"),
        ("In Progress", "", "waits for its children"),
        ("In Progress", "waits for 4 children", "waits for 4 children"),
        ("superseded", "another worker has it", "superseded  another worker has it"),
    ],
)
def test_a_terminal_says_what_became_of_the_task(outcome: str, sentence: str, words: str) -> None:
    """By the task's status, in words."""
    stream = io.StringIO()
    TerminalConsole(RichConsole(file=stream, width=100)).settled(ID, outcome, sentence, None, 1.0)
    assert stream.getvalue().endswith(f" 1.0 s  {words}\n")


def test_a_reader_that_left_does_not_stop_the_worker() -> None:
    """`loop26 run | head -1`: the worker goes on without a listener."""

    class Broken(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            Broken.writes += 1
            raise BrokenPipeError(text)

    told(JsonConsole(Broken()))
    assert Broken.writes == 1


def test_a_terminal_shows_stage_step_and_time_left() -> None:
    """While it runs."""
    text = terminal_text(terminal=True)
    for part in (
        "11111111",
        "travel_segment 2, attempt 2",
        "generate",
        "step 3/6",
        "12 s left",
        "50%",
    ):
        assert part in text


def test_a_terminal_shows_how_long_a_task_has_been_quiet() -> None:
    """In place of the time left, which nobody knows then; until it goes on."""
    stream = io.StringIO()
    console = TerminalConsole(RichConsole(file=stream, force_terminal=True, width=100))
    console.claimed(a_task())
    console.progress(ID, "generate", 3, 6, 0.5, 12.34)
    console.quiet(ID, 29)
    assert "quiet" not in stream.getvalue()
    console.quiet(ID, 95)
    assert "quiet for 1:35" in stream.getvalue()
    before = len(stream.getvalue())
    console.progress(ID, "generate", 4, 6, 0.6, 12.34)
    assert "quiet" not in stream.getvalue()[before:]


def test_a_terminal_keeps_what_has_happened() -> None:
    """The device, how the task ended, what went on beside it."""
    text = terminal_text(terminal=False)
    for part in (
        "ready on CPU",
        "11111111 travel_segment 2, attempt 2    1:15  failed  no such picture: [bold].png",
        *("the queue cannot be reached", "tries=3"),
    ):
        assert part in text


def test_the_moving_line_goes_when_the_task_is_settled() -> None:
    """What is over does not seem to go on."""
    before, _, after = terminal_text(terminal=True).partition("failed")
    assert "step 3/6" in before
    assert "step 3/6" not in after


def test_a_console_that_says_nothing_leaves_the_cursor_alone() -> None:
    """A start may be refused before there is anything to draw."""
    stream = io.StringIO()
    TerminalConsole(RichConsole(file=stream, force_terminal=True)).close()
    assert stream.getvalue() == ""


def test_the_cursor_is_shown_again_however_often_it_is_closed() -> None:
    """It is hidden while a line moves, and once over, nothing hides it any more."""
    stream = io.StringIO()
    console = TerminalConsole(RichConsole(file=stream, force_terminal=True))
    told(console)
    console.note("info", "a last word")
    console.close()
    _, _, after = stream.getvalue().rpartition(HIDE_CURSOR)
    assert "a last word" in after.partition(SHOW_CURSOR)[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "<1 s left"), (1.2, "1 s left"), (59.9, "1:00 left"), (75, "1:15 left")],
)
def test_the_time_left_is_in_whole_seconds(seconds: float, words: str) -> None:
    """Tenths that change with every step cannot be read."""
    stream = io.StringIO()
    console = TerminalConsole(RichConsole(file=stream, force_terminal=True, width=100))
    console.progress(ID, "generate", 3, 6, 0.5, seconds)
    console.close()
    assert words in stream.getvalue()


def test_a_finished_task_is_one_line() -> None:
    """From its claim to its end; in a long run the eye follows a column."""
    stream = io.StringIO()
    console = TerminalConsole(RichConsole(file=stream, width=100))
    for _ in range(2):
        console.claimed(a_task())
        console.settled(ID, "Complete", "", "/home/video.mp4", 61.0)
    lines = stream.getvalue().splitlines()
    assert [line[9:] for line in lines] == [
        "11111111 travel_segment 2       1:01  complete  /home/video.mp4"
    ] * 2


def test_a_file_gets_no_moving_line() -> None:
    """Only what stays."""
    assert "step 3/6" not in terminal_text(terminal=False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.85, "850 ms"), (12.34, "12.3 s"), (245, "4:05"), (3723, "1:02:03")],
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    """In the unit that fits."""
    assert clock(seconds) == text
