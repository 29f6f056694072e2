"""What telemetry loses costs tasks nothing, is counted, and is said where one looks."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from telemetry.testing import OtlpReceiver
from tests.acceptance.home import Home, Worker, a_quick_task, a_slow_task, wait_for
from worker.task import TaskStatus

# A library that a task process calls, as many do it, logs a message that does not fit.
LIBRARY = """
import importlib.util, logging, sys
from pathlib import Path

def get_ffmpeg_exe():
    logging.getLogger("library").info("%d frames", "many")
    folders = (Path(path) / "imageio_ffmpeg" for path in sys.path)
    folder = next(folder for folder in folders if folder.is_dir())
    spec = importlib.util.spec_from_file_location(
        "imageio_ffmpeg", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["imageio_ffmpeg"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_ffmpeg_exe()
"""
# In a mount namespace of its own, a spool that is as small as a disk that is nearly full.
ON_A_SMALL_DISK = (
    *("unshare", "--map-root-user", "--mount", "sh", "-c"),
    'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"',
)


def health(home: Home, seen_by: Worker | None = None) -> dict[str, Any]:
    """Ask for the health of the home's worker, in the files as that worker sees them."""
    root = Path("/") if seen_by is None else Path(f"/proc/{seen_by.process.pid}/root")
    there = Home(root / home.path.relative_to("/"))
    found: dict[str, Any] = json.loads(there.run("health", "--json").stdout)
    return found


def test_a_fault_of_telemetry_in_a_task_process_is_in_health(home: Home, tmp_path: Path) -> None:
    """The task is done, and the worker says what its telemetry could not do."""
    (tmp_path / "imageio_ffmpeg.py").write_text(LIBRARY)
    home.environment["PYTHONPATH"] = str(tmp_path)
    worker = home.worker(until_idle=False)
    (task_id,) = home.enqueue(a_quick_task())
    worker.wait_for("settled", task_id=str(task_id))
    assert home.task(task_id).status is TaskStatus.COMPLETE
    found = wait_for(lambda: (h := health(home))["facts"]["telemetry"]["faults"] and h, "fault", 20)
    assert found["ok"]
    assert found["facts"]["telemetry"]["last_fault"].startswith("TypeError at ")
    assert "faults were contained" in found["sentence"]
    assert worker.end() == 0


def test_a_full_spool_stops_no_task_and_is_said(home: Home) -> None:
    """Tasks are done on; what is lost stands on the row, in health and, later, in the log."""
    spool = home.path / "spool"
    spool.mkdir()
    with OtlpReceiver() as receiver:
        home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
        worker = home.worker(until_idle=False, wrapper=(*ON_A_SMALL_DISK, str(spool)))
        (full,) = home.enqueue(a_slow_task(60))
        worker.wait_for("progress", task_id=str(full), stage="generate", step=2)
        inside = Path(f"/proc/{worker.process.pid}/root") / spool.relative_to("/")
        fill(inside / "filler")
        worker.wait_for("settled", task_id=str(full))
        told = health(home, worker)
        (inside / "filler").unlink()
        (after,) = home.enqueue(a_quick_task())
        worker.wait_for("settled", task_id=str(after))
        receiver.wait_for(lambda: any("could not be written" in text(r) for r in receiver.logs))
        assert worker.end() == 0
    record = (home.task(full).result_data or {})["record"]
    assert home.task(full).status is home.task(after).status is TaskStatus.COMPLETE
    assert record["lost"] > 0 or not record["complete"]
    assert told["ok"]
    assert told["facts"]["telemetry"]["lost"] > 10
    assert "records could not be written" in told["sentence"]
    assert (home.task(after).result_data or {})["record"]["complete"]


def test_a_task_process_starts_while_the_spool_is_full(home: Home) -> None:
    """It does its tasks, its journal begins once there is room, and the loss is said."""
    spool = home.path / "spool"
    spool.mkdir()
    worker = home.worker(until_idle=False, wrapper=(*ON_A_SMALL_DISK, str(spool)))
    worker.wait_for("ready")
    first = worker.task_process(seen_from=Path(f"/proc/{worker.process.pid}/root"))
    inside = Path(f"/proc/{worker.process.pid}/root") / spool.relative_to("/")
    fill(inside / "filler")
    os.kill(first, signal.SIGKILL)
    (full,) = home.enqueue(a_quick_task())
    worker.wait_for("settled", task_id=str(full))
    (inside / "filler").unlink()
    (begins, after) = home.enqueue(a_quick_task(), a_quick_task())
    worker.wait_for("settled", task_id=str(after))
    assert {home.task(one).status for one in (full, begins, after)} == {TaskStatus.COMPLETE}
    assert not (home.task(full).result_data or {})["record"]["complete"]
    assert (home.task(after).result_data or {})["record"]["complete"]
    assert health(home, worker)["facts"]["telemetry"]["lost"] > 10
    assert worker.end() == 0


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def text(received: Any) -> str:
    """Return the text of a log record."""
    return str(received.record.body.string_value)


def test_a_spool_that_is_none_is_refused_at_the_start(home: Home) -> None:
    """A worker that cannot record anything says so before it takes a task."""
    in_the_way = home.path / "spool"
    in_the_way.write_text("no folder")
    done = home.run("run", "--until-idle")
    in_the_way.unlink()
    assert done.returncode == 78
    assert str(home.path) in done.stderr
