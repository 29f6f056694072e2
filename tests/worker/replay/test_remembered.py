"""What a replay has shown is there for the next investigation."""

from pathlib import Path

import pytest

from telemetry.reports.findings import ReplayFound
from worker.replay.remembered import FOLDER, recall, remember

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
FOUND = ReplayFound(at="2026-02-24T14:31:54.583000Z", same=True, says="it failed in the same way")


def test_what_is_remembered_is_recalled(tmp_path: Path) -> None:
    """All of it."""
    remember(tmp_path, TASK, FOUND)
    assert recall(tmp_path, TASK) == FOUND


def test_the_last_replay_counts(tmp_path: Path) -> None:
    """It takes the place of an earlier one."""
    later = ReplayFound(at="2026-02-25T00:00:00.000000Z", same=False, says="it did not fail")
    for found in (FOUND, later):
        remember(tmp_path, TASK, found)
    assert recall(tmp_path, TASK) == later


def test_nothing_is_recalled_of_a_task_that_was_not_replayed(tmp_path: Path) -> None:
    """There is not even a folder."""
    assert recall(tmp_path, TASK) is None


def test_a_replay_of_another_failure_of_the_task_is_none_of_this_one(tmp_path: Path) -> None:
    """A task that was tried again may fail otherwise."""
    remember(tmp_path, TASK, FOUND, fingerprint="592c49f2bd5b84cf")
    assert recall(tmp_path, TASK, fingerprint="592c49f2bd5b84cf") == FOUND
    assert recall(tmp_path, TASK, fingerprint="0000000000000000") is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b'{"found": 3}', b"[" * 100_000])
def test_a_damaged_file_is_no_replay(tmp_path: Path, text: bytes) -> None:
    """Whatever it holds."""
    remember(tmp_path, TASK, FOUND)
    (tmp_path / FOLDER / f"{TASK}.json").write_bytes(text)
    assert recall(tmp_path, TASK) is None


@pytest.mark.parametrize("task", ["", "../../etc/passwd", f"{TASK}/..", f"../{TASK}", "\0"])
def test_what_is_no_id_leads_nowhere(tmp_path: Path, task: str) -> None:
    """It may come from a file that somebody else has made."""
    home = tmp_path / "home"
    home.mkdir()
    remember(home, task, FOUND)
    assert recall(home, task) is None
    assert list(tmp_path.rglob("*.json")) == []


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """A message may hold what a task was asked."""
    remember(tmp_path, TASK, FOUND)
    assert (tmp_path / FOLDER / f"{TASK}.json").stat().st_mode & 0o077 == 0
