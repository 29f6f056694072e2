"""A comparison as a terminal shows it: readable at 80 columns, whatever it holds."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from telemetry.reports.comparison.compare import compare
from telemetry.reports.comparison.terminal import plain
from telemetry.reports.comparison.value import Comparison
from tests.telemetry.reports.comparison.pairs import A, B, attacked, scripted, unrecorded
from tests.telemetry.reports.sample import ATTACKS

Make = Callable[[Path], Comparison]

SAME = """\
A  travel_segment a0000000-0000-4000-8000-000000000001  Failed
B  travel_segment b0000000-0000-4000-8000-000000000002  Failed
the same failure: AttributeError: 'NoneType' object has no attribute 'get',
raised at /engine/wgp.py:3907 in get_model_min_frames_and_step in stage
parameters; they differ in seed, stage model (time)

The first divergence  in the order of the attempts
  iteration 2 of the loop (seed): the value is 789 in A, 12345 in B
    1.00 s into A, 1.00 s into B

Crash points
                 A                               B
    kind         exception                       exception
    type         AttributeError                  AttributeError
    message      'NoneType' object has no attr…  'NoneType' object has no attri…
    place        raised at wgp.py:3907 in get_…  raised at wgp.py:3907 in get_m…
    stage        parameters                      parameters
    fingerprint  ffffffffffffffff                ffffffffffffffff
    loop         3 of 3                          3 of 3

  A: raised at /engine/wgp.py:3907 in get_model_min_frames_and_step
    AttributeError was raised 1.5 ms after loop iteration (3 of 3, steps) ended
    -4.000 ms  begin    loop iteration (2 of 3, seed)
    -3.500 ms  end      loop iteration (2 of 3, seed): ok after 500 µs
    -3.000 ms  begin    loop iteration (3 of 3, steps)
    -2.500 ms  end      loop iteration (3 of 3, steps): ok after 500 µs
    -1.000 ms  end      stage parameters: failed after 5.0 ms
    +0.000 ms  failure  AttributeError: 'NoneType' object has no attribute 'get…
    +1.000 ms  end      process travel_segment (a0000000-0000-4000-8000-0000000…
"""
PARAMETERS = """\
Parameters at the crash point
           A    B      type  layer
  ≠  seed  789  12345  int   segment
  2 parameters are alike, or differ in nothing that matters (--all)
"""
TIMINGS = """\
Timings  a difference from 1.5x and 250 ms on matters
                        A         B       B / A
  ≠  stage model        900.0 ms  2.0 ms  <0.01x
  ≠  engine load        898.0 ms  0 µs    <0.01x
     stage parameters   5.0 ms    5.0 ms          not to its end in A and B
     parameter loop     2.5 ms    2.5 ms  1.00x
     slowest iteration  500 µs    500 µs  1.00x
"""
ONE = """\
A failed (AttributeError: 'NoneType' object has no attribute 'get', raised at
/engine/wgp.py:3907 in get_model_min_frames_and_step in stage parameters); B
went well; the first divergence: A: it failed with AttributeError: 'NoneType'
object has no attribute 'get'; B: stage parameters ended well; nothing else that
matters differs
"""


def same(folder: Path) -> Comparison:
    """Compare two runs that failed alike, of which one had to load the model."""
    a = scripted(folder, A, seed=789, fails=True)
    return compare(a, scripted(folder, B, seed=12345, fails=True, loaded_ms=2))


def one(folder: Path) -> Comparison:
    """Compare a run that failed with one that did not."""
    a = scripted(folder, A, seed=789, fails=True)
    return compare(a, scripted(folder, B, seed=789, fails=False))


def cut(folder: Path) -> Comparison:
    """Compare a run that failed with one of which the tail of the record is lost."""
    a = scripted(folder, A, seed=789, fails=True)
    return compare(a, scripted(folder, B, seed=789, fails=True, cut=True))


def rows(folder: Path) -> Comparison:
    """Compare a run with one of which nothing is recorded."""
    a = unrecorded(A, status="Queued", params={"seed": 7})
    return compare(a, scripted(folder, B, seed=789, fails=False))


def hostile(folder: Path) -> Comparison:
    """Compare two runs with an attack in every text."""
    return attacked(same(folder))


def strangers(folder: Path) -> Comparison:
    """Compare two rows that somebody else has written, of which nothing is recorded."""
    del folder
    words = "".join(ATTACKS)
    fields = ("type", "worker", "created", "claimed", "returned", "error_message", "status")
    error = dict.fromkeys(("kind", "type", "message", "file", "function", "stage"), words)
    row: dict[str, Any] = {**dict.fromkeys(fields, words), "params": {words: words}}
    return compare(
        unrecorded(A, **row, error={**error, "fingerprint": "1"}),
        unrecorded(B, **row, error={**error, "fingerprint": "2"}),
    )


ALL = (same, one, cut, rows, hostile, strangers)


def test_the_same_failure_word_for_word(tmp_path: Path) -> None:
    """The answer, where they first diverge, both crash points; then what differs and matters."""
    text = plain(same(tmp_path))
    assert text.startswith(SAME)
    assert PARAMETERS in text
    assert TIMINGS in text


def test_good_against_failed_word_for_word(tmp_path: Path) -> None:
    """The answer names the first divergence, and that there is no other."""
    assert ONE in plain(one(tmp_path))


def test_an_incomplete_record_is_said_before_anything_else(tmp_path: Path) -> None:
    """And what it does not hold is unknown."""
    text = plain(cut(tmp_path))
    head, _, rest = text.partition("The first divergence")
    assert "B: the record is incomplete (its tail is missing)" in head
    assert re.search(r"\?  loop +3 of 3 +at least 1 of 3\n", rest)
    assert "2 parameters are not known of a side" in " ".join(rest.split())


def test_what_nothing_is_recorded_of_is_unknown(tmp_path: Path) -> None:
    """Not none, and not alike."""
    text = plain(rows(tmp_path))
    assert re.search(r"\?  model load +unknown +took 898.0 ms\n", text)
    assert "3 parameters are not known of a side (--all)" in text


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(
    tmp_path: Path, make: Make, width: int, *, everything: bool
) -> None:
    """Whatever the record holds."""
    text = plain(make(tmp_path), width=width, everything=everything)
    assert max(map(cell_len, text.splitlines())) <= width


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("make", [hostile, strangers])
def test_nothing_that_a_record_holds_moves_the_cursor(
    tmp_path: Path, make: Make, *, everything: bool
) -> None:
    """No escape code, no mark that turns the direction of writing."""
    text = plain(make(tmp_path), everything=everything)
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


def test_everything_shows_what_is_alike_too(tmp_path: Path) -> None:
    """All parameters, all calls."""
    text = plain(same(tmp_path), everything=True)
    assert "(--all)" not in text
    assert "     prompt  'a lake'  'a lake'  str   segment" in text


def test_a_fact_may_be_called_like_one_of_ours() -> None:
    """What was asked, and what a process says of itself, have any name and type."""
    params = {"place": 1, "value": "x", "digest before": [1], "type": None}
    found = compare(
        unrecorded(A, params=params), unrecorded(B, params={**params, "place": 2, "value": {}})
    )
    text = plain(found, everything=True)
    assert re.search(r"place +1 +2\n", text)
    assert re.search(r"value +'x' +\{\}\n", text)
