"""What an engine changes in the process is put back when its call ends, and said."""

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry import stacks
from worker.engines.wan2gp.habits import Left, contained

DEADLINE_S = 60
CHANGED = "signal.signal(signal.{signal}, lambda *_: None)"
CAME_AND_WENT = f"before = {CHANGED}; signal.signal(signal.{{signal}}, before)"
PROGRAM = """
import faulthandler, os, signal, sys
from pathlib import Path
from telemetry import stacks
from worker.engines.wan2gp.habits import contained
stacks.write_to(Path(sys.argv[1]))
{first}
with contained(Path(sys.argv[1]), argv=["wgp.py"]):
    {change}
def last():
    signal.raise_signal(signal.{signal})
last()
print("goes on")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that a test may remove."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make an engine's folder."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


@pytest.fixture
def wait_for() -> Iterator[threading.Event]:
    """Give what threads of a test wait for; they may go when it ends."""
    event = threading.Event()
    yield event
    event.set()


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    by = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < by
        time.sleep(0.001)


def changes(root: Path, change: Callable[[], object]) -> Left:
    """Return what is said of a change in the block."""
    with contained(root, argv=["wgp.py"]) as left:
        change()
    return left


def test_it_is_called_in_its_folder_with_its_command_line(here: Path, root: Path) -> None:
    """And back afterwards."""
    argv = sys.argv
    with contained(root, argv=("wgp.py", "--profile", "4")) as left:
        assert (Path.cwd(), sys.argv) == (root, ["wgp.py", "--profile", "4"])
    assert (Path.cwd(), sys.argv) == (here, argv)
    assert sys.argv is argv
    assert left.texts == []


def test_another_directory_is_put_back_and_said(here: Path, root: Path) -> None:
    """With where it was."""
    left = changes(root, lambda: os.chdir(root.parent))
    assert Path.cwd() == here
    assert left.texts == [f"working directory: {root.parent} (put back)"]


def test_a_link_to_its_folder_is_no_change(here: Path, root: Path, tmp_path: Path) -> None:
    """The working directory is where it leads."""
    link = tmp_path / "link"
    link.symlink_to(root)
    assert changes(link, lambda: None).texts == []
    assert Path.cwd() == here


def test_its_import_that_goes_to_its_folder_is_no_change(here: Path, root: Path) -> None:
    """Nor is going back to where the process was."""
    assert changes(root, lambda: os.chdir(root)).changed == []
    assert changes(root, lambda: os.chdir(here)).changed == []


def test_a_folder_that_it_left_and_removed_is_said(here: Path, root: Path) -> None:
    """Though it has no name any more."""
    gone = root / "gone"
    gone.mkdir()
    left = changes(root, lambda: [os.chdir(gone), gone.rmdir()])
    assert Path.cwd() == here
    assert left.changed == ["working directory: one that is gone"]


def test_a_folder_that_is_gone_is_not_missed(here: Path, root: Path) -> None:
    """The process was in it, and stays where it can be."""
    assert changes(root, here.rmdir).changed == []
    assert Path.cwd() == root


def test_a_folder_that_was_gone_before_is_not_missed(here: Path, root: Path) -> None:
    """There is nowhere to go back to."""
    here.rmdir()
    assert changes(root, lambda: None).texts == []
    assert Path.cwd() == root


def test_a_folder_that_cannot_be_entered_changes_nothing(here: Path, root: Path) -> None:
    """The error is the caller's."""
    argv = sys.argv
    with pytest.raises(FileNotFoundError), contained(root / "none", argv=[]):
        pass
    assert (Path.cwd(), sys.argv) == (here, argv)


def test_another_command_line_is_said(root: Path) -> None:
    """Whether it is another list or the same."""
    assert changes(root, lambda: sys.argv.append("--more")).changed == ["sys.argv"]
    assert changes(root, lambda: setattr(sys, "argv", ["x"])).changed == ["sys.argv"]


def test_handlers_are_put_back_and_named(root: Path) -> None:
    """Each of them."""
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGHUP)]
    left = changes(
        root,
        lambda: [
            signal.signal(signal.SIGUSR1, signal.SIG_IGN),
            signal.signal(signal.SIGHUP, lambda *_: None),
        ],
    )
    assert [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGHUP)] == before
    assert left.changed == ["SIGHUP's handler", "SIGUSR1's handler"]


def test_all_is_put_back_when_it_raises(here: Path, root: Path) -> None:
    """And the exception goes on."""

    def raises() -> None:
        os.chdir(root.parent)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        raise SystemExit(0)

    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(SystemExit):
        changes(root, raises)
    assert (Path.cwd(), signal.getsignal(signal.SIGUSR1)) == (here, before)


def test_threads_that_outlive_it_are_named(root: Path, wait_for: threading.Event) -> None:
    """Sorted."""

    def begin() -> None:
        for name in ("pinned-upload", "monitor"):
            threading.Thread(target=wait_for.wait, name=name, daemon=True).start()

    assert changes(root, begin).texts == ["a thread: monitor", "a thread: pinned-upload"]


def test_a_thread_that_only_redraws_bars_is_not_named(
    root: Path, wait_for: threading.Event
) -> None:
    """It is begun with the first progress bar, and changes nothing."""

    class TMonitor(threading.Thread):
        def run(self) -> None:
            wait_for.wait()

    TMonitor.__module__ = "tqdm._monitor"
    left = changes(root, lambda: TMonitor(daemon=True).start())
    assert left.threads == []


def test_a_thread_that_was_there_is_not_named(root: Path, wait_for: threading.Event) -> None:
    """Nor one that has ended."""
    threading.Thread(target=wait_for.wait, daemon=True).start()
    left = changes(root, lambda: threading.Thread(target=lambda: None).start())
    assert left.threads == []


def test_a_thread_of_nobodys_making_is_no_trouble(root: Path) -> None:
    """As native code begins them: it has run Python, cannot be waited for, and is over."""
    known: list[int | None] = []

    def begin() -> None:
        _thread.start_new_thread(lambda: known.append(threading.current_thread().ident), ())
        until(lambda: bool(known) and known[0] not in sys._current_frames())

    assert changes(root, begin).threads == []


def test_another_thread_may_call_it(here: Path, root: Path) -> None:
    """There no handler can be put back, and none can have been set."""
    found: list[Left] = []
    thread = threading.Thread(
        target=lambda: found.append(changes(root, lambda: os.chdir(root.parent)))
    )
    thread.start()
    thread.join(DEADLINE_S)
    assert [left.changed for left in found] == [[f"working directory: {root.parent}"]]
    assert Path.cwd() == here


def run(
    folder: Path, name: str, change: str, first: str = ""
) -> tuple["subprocess.CompletedProcess[str]", str]:
    """Run a program that leaves its stacks, and is sent a signal after a call."""
    program = PROGRAM.format(signal=name, change=change.format(signal=name), first=first)
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        check=False,
        timeout=DEADLINE_S,
        capture_output=True,
        text=True,
    )
    return done, (folder / stacks.STACKS_FILE).read_text()


@pytest.mark.parametrize("change", [CHANGED, CAME_AND_WENT])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_process_leaves_its_stacks_again(tmp_path: Path, name: str, change: str) -> None:
    """At a signal that ends it, though the engine had a handler for it meanwhile."""
    done, left = run(tmp_path, name, change)
    assert done.returncode == -signal.Signals[name]
    assert " in last\n" in left


@pytest.mark.parametrize("change", [CHANGED, CAME_AND_WENT])
def test_a_process_can_be_asked_for_its_stacks_again(tmp_path: Path, change: str) -> None:
    """And goes on."""
    done, left = run(tmp_path, stacks.ASK.name, change)
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert left.count(" in last\n") == 1


def test_a_handler_of_ours_is_called_again(tmp_path: Path) -> None:
    """After the stacks were left, also where it came after what leaves them."""
    first = "signal.signal(signal.SIGTERM, lambda *_: print('ours'))"
    done, left = run(tmp_path, "SIGTERM", CHANGED, first)
    assert (done.returncode, done.stdout) == (0, "ours\ngoes on\n")
    assert " in last\n" in left


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """The process goes on."""
    done, _ = run(tmp_path, "SIGHUP", CHANGED, first="signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    assert (done.returncode, done.stdout) == (0, "goes on\n")
