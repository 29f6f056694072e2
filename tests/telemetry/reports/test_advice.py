"""What to do next: each step follows from something that was found."""

from typing import Any

import msgspec
import pytest

from telemetry.reports.advice import next_steps
from telemetry.reports.company import RelativeFound, SameFailureFound
from telemetry.reports.completeness import nothing_recorded
from telemetry.reports.findings import CompletenessFound, FailureFound, HypothesisFound, ValueFound
from telemetry.reports.hypotheses import ITERATOR, POLLUTION
from tests.telemetry.reports.test_summary import fault

NOTHING = nothing_recorded("the journals")
WHOLE = msgspec.structs.replace(NOTHING, complete=True, begun=40)
OPEN = HypothesisFound(
    name=POLLUTION, verdict="not decidable", evidence="decided by a replay in a fresh process"
)


def steps(
    failure: FailureFound,
    hypotheses: list[HypothesisFound] | None = None,
    record: CompletenessFound = WHOLE,
    *,
    same: int = 0,
    fallen: int = 0,
    because: str = "failed because of x",
    replay: str = "loop26 replay 1",
) -> list[str]:
    """Advise."""
    others = [SameFailureFound(task=f"{n}", attempt=1, worker="", when="") for n in range(same)]
    relatives = [
        RelativeFound(id=f"{n}", type="", status="Failed", because=because, felled=n < fallen)
        for n in range(fallen + 1)
    ]
    return next_steps(failure, hypotheses or [], record, others, relatives, replay)


def none_of(**facts: Any) -> FailureFound:
    """Make the failure of the incident."""
    said = {"message": "'NoneType' object has no attribute 'get'", "expression": "entry", **facts}
    values = [
        ValueFound(name="entry", value=None, origin="asked for"),
        ValueFound(name="model_type", value="", origin="passed at a.py:7 as ''"),
    ]
    return msgspec.structs.replace(fault(**said), values=values)


def test_an_incomplete_record_is_spoken_of_first() -> None:
    """Nobody is to conclude from where it ends."""
    incomplete = msgspec.structs.replace(WHOLE, complete=False)
    assert steps(none_of(), record=incomplete)[0].startswith("Do not conclude from where")


def test_without_a_record_one_looks_where_the_task_ran() -> None:
    """The row alone is not all that there is."""
    assert steps(fault(), record=NOTHING)[0].startswith("Look where the task ran")


def test_the_line_is_opened_and_the_empty_value_is_followed() -> None:
    """To where it came from."""
    found = steps(none_of(file="wgp.py", line=3907, function="minimum"))
    assert found == [
        "Open wgp.py:3907 in minimum.",
        "Find out why entry was None: model_type was '', passed at a.py:7 as ''.",
    ]


def test_an_item_that_was_not_there_was_not_none() -> None:
    """A KeyError speaks of the item."""
    found = fault(type="KeyError", message="'a'", expression="d['a']")
    assert steps(found) == ["Find out why d['a'] was not there: there is no such key."]


def test_an_object_without_the_attribute_was_there() -> None:
    """It was of another type, and that came from somewhere."""
    found = msgspec.structs.replace(
        fault(
            type="AttributeError",
            message="'generator' object has no attribute 'get'",
            expression="defs",
        ),
        values=[ValueFound(name="defs", value="<generator>", origin="assigned at a.py:7: f()")],
    )
    assert steps(found) == [
        "Find out why defs was a generator, which has no 'get': assigned at a.py:7: f()."
    ]


def test_a_missing_key_is_followed_to_the_empty_name_of_it() -> None:
    """Where that came from is the question."""
    found = msgspec.structs.replace(
        fault(type="KeyError", message="''", expression="d[name]"),
        values=[ValueFound(name="name", value="", origin="passed at a.py:7")],
    )
    assert steps(found) == [
        "Find out why d[name] was not there: there is no such key; name was '', passed at a.py:7."
    ]


def test_what_was_at_work_is_looked_at_where_it_was_opened() -> None:
    """The line is not that of the failure."""
    found = fault(place="opened at", file="steps.py", line=30, function="denoise")
    assert steps(found) == ["Look at what denoise opened at steps.py:30 was doing."]


def test_a_text_that_was_passed_on_is_looked_at_where_it_was_told() -> None:
    """Nothing more is known of it."""
    found = fault(place="reported at", file="steps.py", line=30, function="denoise")
    assert steps(found) == ["Look at what steps.py:30 in denoise reports: its text alone is known."]


@pytest.mark.parametrize("kind", ["segfault", "abort"])
def test_last_words_are_spoken_of_where_they_are_in_the_record(kind: str) -> None:
    """Not every process gets to say any."""
    silent = fault(kind="death", type=kind)
    [step] = steps(msgspec.structs.replace(silent, last_words=["double free"]))
    assert "its last words" in step
    assert "not in the record" not in step
    assert "its last words are not in the record" in steps(silent)[0]


def test_a_refused_task_needs_no_replay() -> None:
    """It would be refused again."""
    assert steps(fault(kind="refused"), [OPEN]) == [
        "Correct the task and enqueue it again: it was refused, the worker is well."
    ]


def test_each_death_has_advice_of_its_own() -> None:
    """By how it ended."""
    for kind in ("oom", "sigkill", "segfault", "abort", "exit", "lost", "WorkerLost"):
        [step] = steps(fault(kind="death", type=kind))
        assert step.endswith(".")


def test_a_refused_task_is_to_be_corrected() -> None:
    """The worker is well."""
    assert steps(fault(kind="refused"))[0].startswith("Correct the task")


def test_a_hang_leaves_stacks() -> None:
    """Of every thread."""
    assert "every thread's stack" in steps(fault(kind="hang"))[0]


def test_an_error_of_cuda_may_show_late() -> None:
    """Its true line is found by a replay that waits, and by a run that did."""
    late = fault(type="torch.AcceleratorError", message="CUDA error: device-side assert")
    exact = msgspec.structs.replace(late, sentence="it failed; CUDA's calls waited for their end")
    assert steps(late)[0].endswith("loop26 replay 1 --blocking")
    assert "in this very line" in steps(exact)[0]


def test_memory_that_ran_out_shows_where_it_does() -> None:
    """What to do is to ask for less, and to see who holds it where the worker has said so."""
    memory = fault(type="torch.OutOfMemoryError", message="CUDA out of memory")
    cublas = fault(type="RuntimeError", message="CUDA error: CUBLAS_STATUS_ALLOC_FAILED")
    smaller = "Make the work smaller (resolution, frames), or set offload to model."
    assert steps(memory) == steps(cublas) == [smaller]
    said = "no; device memory, after a second try with all of it freed: of the model 9 GiB"
    told = msgspec.structs.replace(memory, sentence=said)
    assert steps(told) == ["See who held the device's memory: of the model 9 GiB.", smaller]


def test_what_is_confirmed_is_to_be_followed() -> None:
    """With its fact."""
    found = HypothesisFound(name=ITERATOR, verdict="confirmed", evidence="it changed")
    assert steps(fault(), [found]) == [f"Follow what is confirmed, {ITERATOR}: it changed."]


def test_a_replay_decides_what_only_it_can() -> None:
    """Where there is a command for it: a black box of another machine has none."""
    assert steps(fault(), [OPEN]) == [
        "Run it again in a fresh process, to decide the open causes: loop26 replay 1"
    ]
    assert steps(fault(), [OPEN], replay="") == []


def test_a_failure_of_many_tasks_is_mended_once() -> None:
    """And the tasks are counted."""
    assert steps(fault(), same=1) == [
        "Mend it once: 1 other task failed in this way (loop26 failures)."
    ]
    assert "3 other tasks" in steps(fault(), same=3)[0]


def test_a_journey_that_fell_is_enqueued_again() -> None:
    """With the number of those that fell."""
    assert steps(fault(), fallen=13)[-1] == (
        "Then enqueue the journey again: 13 of its tasks fell with this one."
    )


def test_a_relatives_own_words_do_not_count_it_among_those_that_fell() -> None:
    """It failed because of something else."""
    assert steps(fault(), because="failed because the disk was full") == []


def test_texts_of_strangers_stay_on_their_line() -> None:
    """Whatever a file, a function or a value is called."""
    hostile = none_of(file="a\x1b[2J.py", function="f\nx", expression="a\u202e")
    assert all(step.isprintable() for step in steps(hostile))
