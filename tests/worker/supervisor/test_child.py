"""The end of a task process, as its supervisor hears of it."""

import os
import queue
import signal
from pathlib import Path

from worker.composition import configure
from worker.settings import Settings
from worker.supervisor.child import Child, ChildEvent, Exited, Printed

# A library's helper that leaves the session and holds what it has inherited.
LEAVES_A_HELPER = """
import os, sys, time
if "worker.process" in sys.orig_argv:
    helper = os.fork()
    if not helper:
        os.setsid()
        time.sleep(600)
    print("helper", helper, flush=True)
    os._exit(3)
"""


def test_an_end_is_told_whatever_a_descendant_holds(tmp_path: Path) -> None:
    """Socket and pipes stay open; that the process is gone is known all the same."""
    (tmp_path / "sitecustomize.py").write_text(LEAVES_A_HELPER)
    inbox: queue.SimpleQueue[ChildEvent] = queue.SimpleQueue()
    child = Child(
        configure(Settings(home=tmp_path / "home"), "worker"),
        inbox,
        environment={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    printed = inbox.get(timeout=60)
    assert isinstance(printed, Printed)
    helper = int(printed.line.removeprefix("helper "))
    try:
        exited = inbox.get(timeout=60)
        os.kill(helper, 0)  # it is still there
    finally:
        os.kill(helper, signal.SIGKILL)
    assert isinstance(exited, Exited)
    assert exited.returncode == 3
    assert list(child.last_words) == [printed.line]
