"""Failures grouped by cause."""

from typing import Any

from telemetry.reports.failures import FailedOnce, grouped


def failed(number: int, **facts: Any) -> FailedOnce:
    """Make the attempt that failed at a minute of an hour; the fields of the failure by name."""
    own = {"task", "task_type", "model", "attempt", "worker", "when"}
    told: dict[str, Any] = {
        "task": f"task-{number}",
        "task_type": "t2v",
        "model": "wan",
        "attempt": 1,
        "worker": "gpu-1",
        "when": f"2026-02-24T14:{number:02}:00.000000Z",
        **{name: value for name, value in facts.items() if name in own},
    }
    failure = {"fingerprint": "f00d", "type": "AttributeError", "release": "1.2.0"}
    failure |= {name: value for name, value in facts.items() if name not in own}
    return FailedOnce(**told, failure=failure)


def newest_first(*attempts: FailedOnce) -> list[FailedOnce]:
    """Order attempts as the queue does."""
    return sorted(attempts, key=lambda one: one.when, reverse=True)


def test_one_fingerprint_is_one_group() -> None:
    """However many tasks, workers and models."""
    attempts = newest_first(
        failed(1), failed(2, worker="gpu-2", model="tiny"), failed(3, task="task-1", attempt=2)
    )
    [group] = grouped(attempts, release="1.2.0")
    assert (group.count, group.first[14:16], group.last[14:16]) == (3, "01", "03")
    assert group.tasks == ["task-1", "task-2"]
    assert group.workers == ["gpu-1", "gpu-2"]
    assert group.models == ["wan", "tiny"]


def test_the_group_that_failed_last_comes_first() -> None:
    """Whichever has more."""
    attempts = newest_first(failed(1), failed(2), failed(3, fingerprint="beef"))
    assert [group.fingerprint for group in grouped(attempts, release="")] == ["beef", "f00d"]


def test_place_and_message_are_the_newests() -> None:
    """Lines move from release to release."""
    attempts = newest_first(failed(1, line=7, message="old"), failed(2, line=9, message="new"))
    [group] = grouped(attempts, release="")
    assert (group.location.line, group.message) == (9, "new")


def test_since_leaves_out_what_has_not_failed_since() -> None:
    """What did is counted whole: what came before decides whether it is new."""
    attempts = newest_first(failed(1), failed(9), failed(2, fingerprint="beef"))
    [group] = grouped(attempts, release="", since="2026-02-24T14:05:00.000000Z")
    assert (group.fingerprint, group.count) == ("f00d", 2)


def test_the_very_moment_of_since_counts() -> None:
    """It is the first."""
    assert grouped([failed(5)], release="", since=failed(5).when)


def test_what_failed_under_this_release_alone_is_new() -> None:
    """Of which one asks first after a deployment."""
    [group] = grouped([failed(1)], release="1.2.0")
    assert group.is_new is True


def test_what_failed_before_is_not_new() -> None:
    """Also where it fails again now."""
    attempts = newest_first(failed(1, release="1.1.0"), failed(2))
    [group] = grouped(attempts, release="1.2.0")
    assert (group.is_new, group.releases) == (False, ["1.2.0", "1.1.0"])


def test_whether_it_is_new_is_open_where_a_release_is_not_said() -> None:
    """An old worker did not say it; unless it has failed under another, known one."""
    unsaid = newest_first(failed(1, release=""), failed(2))
    known = newest_first(failed(1, release=""), failed(2, release="1.1.0"), failed(3))
    assert grouped(unsaid, release="1.2.0")[0].is_new is None
    assert grouped(known, release="1.2.0")[0].is_new is False


def test_failures_without_a_fingerprint_go_by_their_type() -> None:
    """A lost worker has none."""
    lost = {"fingerprint": "", "type": "WorkerLost"}
    attempts = newest_first(failed(1, **lost), failed(2, **lost), failed(3, fingerprint=""))
    assert [group.count for group in grouped(attempts, release="")] == [1, 2]


def test_a_fingerprint_is_never_taken_for_a_type() -> None:
    """Whatever others write there."""
    attempts = [failed(2, fingerprint="WorkerLost"), failed(1, fingerprint="", type="WorkerLost")]
    assert len(grouped(attempts, release="")) == 2


def test_fields_of_a_strange_form_are_told_as_missing() -> None:
    """Other applications write rows, too."""
    strange = {"line": "x", "file": 7, "type": None, "message": [], "kind": {}, "stage": 1.5}
    [group] = grouped([failed(1, **strange)], release="")
    assert (group.location.line, group.location.file, group.type, group.message) == (0, "", "", "")


def test_nothing_has_failed() -> None:
    """No group is made up."""
    assert grouped([], release="1.2.0") == []


def test_each_of_ten_thousand_failures_is_counted_once() -> None:
    """In the group of its fingerprint; none is cut off."""
    attempts = [failed(number % 60, fingerprint=f"{number % 500:04}") for number in range(10_000)]
    assert [group.count for group in grouped(attempts, release="")] == [20] * 500
