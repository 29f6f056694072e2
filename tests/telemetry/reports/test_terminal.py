"""The report for a terminal: the first screen word for word, the rest by what it must say."""

import io
import itertools
import re
from collections.abc import Callable

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from telemetry.reports.findings import FailureFound, Investigation, SourceLine
from telemetry.reports.terminal import report as terminal

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

FIRST_SCREEN = """\
travel_segment 78cd8678-9fa3-4d06-a081-dd8fc90ff35f  Failed
AttributeError: 'NoneType' object has no attribute 'get'; model_def was None;
raised at /opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step, after all 32
iterations of the parameter loop, in stage parameters
2026-02-24T14:31:53.561204Z, attempt 1 on gpu-20260210_155915-58372e0e; loop 32
of 32; record complete; 1 other attempt failed so; 13 other tasks fell with it

Where
  raised at /opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step
    3906      model_def = get_model_def(model_type)
  > 3907      frames_minimum = model_def.get("frames_minimum", 5)
    3908      frames_steps = model_def.get("frames_steps", 4)
    3909      return frames_minimum, frames_steps, model_def.get("latent_size",…

Which value did it
  model_def = None
    assigned at /opt/Wan2GP/wgp.py:3906 in get_model_min_frames_and_step:
    get_model_def(model_type)
  model_type = ''
    passed at /opt/Wan2GP/preflight.py:63 in check_frames as
    settings.get('model', '')
"""
INCOMPLETE = """\
THE RECORD IS INCOMPLETE: 41 records lost, 117 bytes damaged
  What holds: the failure and its place below; they do not hang on what is
  missing.
  What does not: that something did not happen because it is not shown. Where
  the record ends is not where the task failed.
"""
FRAMES = """\
Every frame with its locals  outermost first
  /app/worker/process.py:214 in run
      outcome = handler.handle(task, self._observer)
  /app/worker/handlers/generate.py:141 in _generate
      self._engine.preflight(request)
      self     <worker.handlers.generate.Generate>
      request  {'settings_version': 2.35, 'prompt': <hidden: 30 characters>, 'r…
  /opt/Wan2GP/preflight.py:63 in check_frames
      minimum, step, _ = get_model_min_frames_and_step(settings.get("model", ""…
      model     'wan_2_2_i2v_lightning_baseline_2_2_2'
      settings  {'resolution': '896x496', 'video_length': 81}
      params    {'settings_version': 2.35, 'prompt': <hidden: 30 characters>, '…
  /opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step
      frames_minimum = model_def.get("frames_minimum", 5)
      model_def   None
      model_type  ''
"""
HEALTHY = """\
travel_segment 1b0e6a2c-55f1-4d4e-9a39-0c1d2e3f4a5b  Complete
it did not fail: it is complete; model took 4 min 08.0 s, 96 % of it
2026-02-24T14:36:09.880412Z, attempt 1 on gpu-20260210_155915-58372e0e

Where the time went
  stage       took          part                           ended
  model       4 min 08.0 s  96%   ███████████████████████  ok
  generate    5.10 s        2%                             ok
  encode      2.34 s        1%                             ok
"""
ORDER = [
    "Where",
    "Which value did it",
    "Every frame with its locals",
    "How far it got",
    "Every parameter",
    "The record",
    "The same failure",
    "Whom it took down",
    "The last good run",
    "Possible causes",
    "Links",
    "Replay",
    "Next steps",
]


def failed(
    make: Callable[[], Investigation] = sample.incident,
) -> tuple[Investigation, FailureFound]:
    """Return a sample and its failure."""
    found = make()
    assert found.failure is not None
    return found, found.failure


def with_failure(**changes: object) -> Investigation:
    """Return the incident with something else about its failure."""
    found, failure = failed()
    return msgspec.structs.replace(found, failure=msgspec.structs.replace(failure, **changes))


def test_the_first_screen_is_the_whole_answer() -> None:
    """What, where, the value that did it, how far, and who fell with it."""
    assert terminal.plain(sample.incident()).startswith(FIRST_SCREEN)
    assert FIRST_SCREEN.count("\n") <= 22


def test_the_sections_have_one_order() -> None:
    """Whoever reads the second report knows where to look."""
    lines = terminal.plain(sample.incident()).splitlines()
    headings = [line for before, line in itertools.pairwise(lines) if not before]
    assert [heading.partition("  ")[0] for heading in headings] == ORDER


def test_every_frame_is_shown_and_the_locals_of_those_in_the_app() -> None:
    """What the failing line names comes first; long values are cut."""
    assert FRAMES in terminal.plain(sample.incident())


def test_all_cuts_no_value() -> None:
    """`--all`, also of frames that are not in the app."""
    text = terminal.plain(sample.incident(), everything=True)
    assert "attempt  1" in text
    assert "'model_switch_phase': 1, 'video_prompt_type': ''}" in text


def test_every_parameter_has_its_value_what_was_asked_and_its_layer() -> None:
    """All 32, in the order of the loop."""
    text = terminal.plain(sample.incident())
    found = [one.name for one in sample.incident().params if f"\n  {one.name} " in text]
    assert len(found) == 32
    assert re.search(r"\n  resolution +'896x496' +'902x508' +orchestrator\n", text)
    assert re.search(r"\n  guidance_scale +1 +as used +phase_config\n", text)


def test_how_far_it_got_says_when_and_what_was_slowest() -> None:
    """Of the loop, and of the stages."""
    text = terminal.plain(sample.incident())
    assert "  loop: 32 of 32 iterations ended well\n" in text
    assert "    last: 32, video_prompt_type at 2026-02-24T14:31:53.557012Z\n" in text
    assert "    slowest: 2, prompt took 970 µs\n" in text
    assert re.search(r"  parameters +2026-02-24T14:31:53.520311Z +40.9 ms +failed\n", text)


def test_what_the_model_says_was_not_asked() -> None:
    """Though the loop notes a value as asked for whichever layer says it."""
    found = sample.incident()
    noted = [msgspec.structs.replace(one, asked=one.value) for one in found.params]
    text = terminal.plain(msgspec.structs.replace(found, params=noted))
    assert re.search(r"\n  slg_start_perc +10 +model\n", text)


def test_a_parameter_whose_record_is_lost_has_no_value() -> None:
    """None would be one."""
    found = sample.incomplete()
    lost = msgspec.structs.replace(found.params[0], value=None, source="")
    text = terminal.plain(msgspec.structs.replace(found, params=[lost]))
    assert "\n  settings_version  not in the record\n" in text
    assert "31 parameters of the loop are not in the record" in text


def test_a_stage_whose_end_is_lost_is_not_at_work() -> None:
    """The task has failed: nothing is open."""
    found = sample.incomplete()
    stage = msgspec.structs.replace(found.stages[-1], ended="open")
    text = terminal.plain(msgspec.structs.replace(found, stages=[stage]))
    assert re.search(r"parameters .* its end is not in the record\n", text)


def test_relatives_are_put_together() -> None:
    """Thirteen that fell for one reason are one line, and a few ids."""
    text = terminal.plain(sample.incident())
    assert "12 travel_segment, 1 travel_orchestrator: failed because of\n" in text
    assert "    8172a7f6…, 00000001…, 00000002…, … 10 more of them (--all)\n" in text


def test_whom_it_did_not_take_down_is_told_apart() -> None:
    """A relative may fail by itself, or have been done before."""
    found = sample.incident()
    done = msgspec.structs.replace(
        found.relatives[0],
        status="Complete",
        because="was complete: not touched by it",
        felled=False,
    )
    text = terminal.plain(msgspec.structs.replace(found, relatives=[done, *found.relatives[1:]]))
    assert (
        "  others of its journey, not because of it:\n"
        "  1 travel_orchestrator: was complete: not touched by it\n"
    ) in text
    assert "12 other tasks fell with it" in text


def test_all_names_every_relative() -> None:
    """By its whole id."""
    text = terminal.plain(sample.incident(), everything=True)
    assert all(f"    {one.id} {one.type}\n" in text for one in sample.incident().relatives)


def test_each_verdict_has_its_evidence() -> None:
    """Under it."""
    text = terminal.plain(sample.incident())
    assert (
        "  ruled out      timeout or hang in the loop\n"
        "                 the slowest iteration took 970 µs (prompt); the 32 took 17.1 ms\n"
    ) in text
    assert "  not decidable  engine state pollution\n" in text


def test_an_incomplete_record_is_said_before_anything_is_concluded() -> None:
    """With what holds all the same, and what does not."""
    text = terminal.plain(sample.incomplete())
    assert text.index(INCOMPLETE) < text.index("\nWhere\n")


def test_the_last_record_is_never_the_place() -> None:
    """Of a loop whose tail is lost nothing is told but that more may have ended."""
    found, failure = failed(sample.incomplete)
    nowhere = msgspec.structs.replace(
        failure, place="", location=msgspec.structs.replace(failure.location, file="", line=0)
    )
    text = terminal.plain(msgspec.structs.replace(found, failure=nowhere))
    assert "Where\n  the place is not known: nothing that arrived names it\n" in text
    assert "What holds: that it failed. Where, the record cannot say." in text
    assert "  loop: 9 of 32 iterations are in the record; it is incomplete:" in text
    assert "last that arrived: 9, guidance_scale" in text
    assert "; loop 9 of 32" not in text


def test_a_death_says_that_its_place_is_not_the_line() -> None:
    """And what the process said last."""
    text = terminal.plain(sample.death())
    assert (
        "  opened at /app/worker/engines/denoise.py:88 in run\n"
        "  not the line of the failure: it opened what was at work then\n"
        "  it died: SIGSEGV, exit code -11\n"
        "  its last words on stderr:\n"
        "    CUDA error: an illegal memory access\n"
    ) in text


def test_what_was_handled_before_is_told_where_the_place_is() -> None:
    """It is what a swallowed exception is found by."""
    cause = {
        "known_by": "told by its text",
        "type": "KeyError",
        "message": "'x'",
        "place": "raised at",
        "file": "a.py",
        "line": 7,
        "function": "f",
    }
    text = terminal.plain(with_failure(caused_by=cause))
    assert "\n  behind it, told by its text: KeyError: 'x' (raised at a.py:7 in f)\n" in text


def test_the_other_exceptions_of_the_chain_are_told() -> None:
    """With what they have to do with the one before."""
    _, failure = failed()
    outer = msgspec.structs.replace(
        failure.chain[0], type="GenerationFailed", message="no", frames=failure.frames[:1]
    )
    inner = msgspec.structs.replace(failure.chain[0], relation="cause")
    text = terminal.plain(with_failure(chain=[outer, inner]))
    assert (
        "  ended as: GenerationFailed: no\n    raised at /app/worker/process.py:214 in run\n"
        in text
    )


def test_a_frame_that_calls_itself_is_shown_once() -> None:
    """A recursion without end has a thousand frames."""
    _, failure = failed()
    deep = [failure.frames[0], *[failure.frames[1]] * 990, failure.frames[-1]]
    text = terminal.plain(with_failure(frames=deep))
    assert text.count("generate.py:141 in _generate") == 1
    assert "… 989 more calls of itself (--all)" in text


def test_a_line_of_source_keeps_its_indentation() -> None:
    """Tabs too."""
    _, failure = failed()
    last = failure.frames[-1]
    lines = [SourceLine(number=last.line, text="\t\tif x:\treturn")]
    frame = msgspec.structs.replace(last, source=lines)
    text = terminal.plain(with_failure(frames=[frame]))
    assert "  > 3907          if x:   return\n" in text


def test_what_did_not_fail_says_where_the_time_went() -> None:
    """The longest stage first."""
    text = terminal.plain(sample.healthy())
    assert text.startswith(HEALTHY)
    assert "Possible causes" not in text


def test_what_is_at_work_says_so_far() -> None:
    """And that no record is missing."""
    text = terminal.plain(sample.running())
    assert "\nWhere the time went  so far\n" in text
    assert "complete so far: 46 spans begun" in text
    assert "denoising: 2 of 6 steps ended well, in phase high noise" in text


def test_a_replay_that_was_done_is_told() -> None:
    """With the command, for once more."""
    text = terminal.plain(sample.replayed(), width=120)
    assert "it failed again, with the same fingerprint, in a fresh process" in text


@pytest.mark.parametrize(
    ("make", "width", "everything"),
    [
        *((make, width, False) for make in SAMPLES for width in (80, 40)),
        *((make, 80, True) for make in SAMPLES if make is not sample.huge),  # that is a book
    ],
)
def test_nothing_is_wider_than_the_terminal(
    make: Callable[[], Investigation],
    width: int,
    everything: bool,  # noqa: FBT001 - a case of the test
) -> None:
    """Whatever was recorded; and it holds no control character and can be encoded."""
    text = terminal.plain(make(), width=width, everything=everything)
    assert max(map(cell_len, text.splitlines())) <= width
    assert {char for char in text if not char.isprintable()} <= {"\n"}
    assert text.encode()


def test_only_a_terminal_gets_colours() -> None:
    """And the same words."""
    drawn = terminal.renderable(sample.incident())
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=True, color_system="standard").print(drawn)
    coloured = out.getvalue()
    assert "\x1b[1;31m" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == terminal.plain(
        sample.incident()
    ).splitlines()


def test_what_may_be_many_is_cut_with_a_word_about_it() -> None:
    """A report is read by people."""
    text = terminal.plain(sample.huge())
    assert text.count("\n") < 1500
    assert "  … 2,981 more frames (--all)\n" in text
    assert "      … 592 more locals (--all)\n" in text
