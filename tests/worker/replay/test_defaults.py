"""Which defaults a replay had is told by their digest."""

from collections.abc import Callable

from telemetry.reports.attempt import Attempt
from worker.replay.defaults import DefaultsSeen, defaults_seen
from worker.replay.snapshot import snapshot_of

Record = Callable[..., Attempt]
THEN = {"steps": 20, "guidance_scale": 5.0, "prompt": "a lake at dawn"}


def seen(then: Attempt | None, now: Attempt | None) -> DefaultsSeen:
    """Compare two attempts."""
    return defaults_seen(snapshot_of(then) if then else None, then, now)


def test_restored_ones_are_those_of_then(record: Record) -> None:
    """By the digest that both recorded."""
    found = seen(record(THEN), record(THEN))
    assert found.exact
    assert found.digest_then == found.digest_now
    assert found.says.startswith("the recorded ones, 3 of 3, with the same sha256 ")


def test_the_engines_own_may_be_those_of_then(record: Record) -> None:
    """What the record lacks of them, their digest makes up for."""
    found = seen(record(THEN, upto=1), record(THEN))
    assert found.exact
    assert "the record has 1 of 3 of them; they are those of then by their sha256" in found.says


def test_those_that_have_changed_are_named(record: Record) -> None:
    """With the values of then and now."""
    found = seen(record(THEN, upto=2), record({**THEN, "guidance_scale": 4.0}))
    assert not found.exact
    assert found.says.endswith("they are not those of then: guidance_scale was 5.0 and is 4.0")


def test_a_change_in_what_is_not_recorded_is_known_by_the_digest(record: Record) -> None:
    """Though not what it is."""
    found = seen(record(THEN, upto=1), record({**THEN, "guidance_scale": 4.0}))
    assert not found.exact
    assert found.says.endswith("they are not those of then, by their digest")


def test_more_changes_than_anybody_reads_are_counted(record: Record) -> None:
    """Five are named."""
    then = {f"v{number}": number for number in range(8)}
    now = {key: value + 1 for key, value in then.items()}
    found = seen(record({**then, "last": 1}, upto=8), record({**now, "last": 1}))
    assert found.says.endswith("v4 was 4 and is 5, 3 more")


def test_a_replay_that_read_none_differs_by_none(record: Record) -> None:
    """It ended before."""
    assert seen(record(THEN), None) == DefaultsSeen(
        says="none were read this time",
        exact=True,
        digest_then=seen(record(THEN), None).digest_then,
        digest_now="",
    )


def test_without_any_record_nothing_is_known_of_them(record: Record) -> None:
    """The engine's own may be others by now."""
    found = seen(None, record(THEN))
    assert not found.exact
    assert found.says == "the engine's own; none are recorded"
