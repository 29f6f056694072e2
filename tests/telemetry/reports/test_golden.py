"""Reports of real deaths, word for word as they are kept in `golden/`.

What differs from machine to machine is replaced before a report is written, so that its lines
break in the same places everywhere. After a change that is meant, write them anew with

    WRITE_GOLDEN=1 .venv/bin/pytest tests/telemetry/reports/test_golden.py

and read the difference as a reader of the report would.
"""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry.death import close_dead, from_returncode
from telemetry.journal import process_directories
from telemetry.records import Error
from telemetry.reports.case import Case, QueueEvent, TaskRow
from telemetry.reports.company import SameFailureFound
from telemetry.reports.findings import Investigation, LinksFound
from telemetry.reports.investigate import investigate
from telemetry.reports.markdown import markdown
from telemetry.reports.terminal import plain
from telemetry.reports.trace import TraceModel, read_trace
from tests.telemetry.reports.golden import program

GOLDEN = Path(__file__).with_name("golden")
REPOSITORY = Path(__file__).parents[3]
LIBRARY = Path(sysconfig.get_path("stdlib"))
DIED_NS = program.BEGAN_NS + 60_000_000
ORCHESTRATOR = "8172a7f6-65d9-4a77-8fa7-54558e356286"
FALLEN = "1b0e6a2c-55f1-4d4e-9a39-0c1d2e3f4a5b"
FIRST = "e040ae48-4fa8-4af6-8a57-028277e54ba9"
DEATHS = {"exception": 0, "library": 0, "segfault": -11, "sigkill": -9}
_PROCESS = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[a-z]+-\d+-[0-9a-f]{8}")
_LINE_OF_LIBRARY = re.compile(r"(/python/[^\s:]+):\d+")

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="Python's own words differ from version to version"
)


@pytest.fixture(params=DEATHS, scope="module")
def died(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Investigation]:
    """Let a segment die in a process of its own; investigate what is left."""
    fault: str = request.param
    spool = tmp_path_factory.mktemp(fault) / "spool"
    for what in ("lead", fault):
        done = run(what, spool)
        assert done.returncode == (DEATHS[fault] if what == fault else 0), done.stderr
    [directory] = [one for one in process_directories(spool) if "-task-" in one.name]
    if DEATHS[fault]:
        error = close_dead(directory, from_returncode(DEATHS[fault], at_ns=DIED_NS))
    model = read_trace(spool, program.TASK)
    assert model is not None
    error = error if DEATHS[fault] else model.errors[-1]
    return fault, everywhere_the_same(investigate(case_of(error, model, spool)), spool)


def run(what: str, spool: Path) -> subprocess.CompletedProcess[str]:
    """Run the program that dies."""
    return subprocess.run(
        [sys.executable, str(GOLDEN / "program.py"), what, str(spool)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def case_of(error: Error, model: TraceModel, spool: Path) -> Case:
    """Make the case, as the queue would have it."""
    kept = ("kind", "type", "message", "file", "line", "function", "place", "stage", "event_id")
    more = ("loop_index", "loop_count", "fingerprint", "expression")
    row = TaskRow(
        id=program.TASK,
        type="travel_segment",
        status="Failed",
        worker=program.WORKER,
        attempt=1,
        parent_id=ORCHESTRATOR,
        trace_id=program.TRACE.hex(),
        span_id=program.PROCESS_SPAN.hex(),
        created="2026-02-24T14:23:21.000000Z",
        claimed="2026-02-24T14:31:52.900000Z",
        returned="2026-02-24T14:31:54.583000Z",
        error_message=f"{error.type}: {error.message}",
        error={name: getattr(error, name) for name in (*kept, *more)},
        params={"model_name": program.MODEL},
    )
    return Case(
        asked=ORCHESTRATOR,
        task=row,
        model=model,
        source=f"the journals in {spool}",
        links=LinksFound(trace_id=row.trace_id, sentry_event_id="e" * 32),
        events=[
            QueueEvent(at_ns=program.BEGAN_NS - 10**9, name="inserted"),
            QueueEvent(
                at_ns=program.BEGAN_NS - 10**8, name="claimed", data={"worker_id": program.WORKER}
            ),
            QueueEvent(at_ns=program.BEGAN_NS + 10**9, name="failed", data={"attempt": 1}),
        ],
        relatives=[
            TaskRow(id=ORCHESTRATOR, type="travel_orchestrator", status="Failed", error=fallen()),
            TaskRow(id=FALLEN, type="travel_segment", status="Failed", error=fallen()),
        ],
        same=[
            SameFailureFound(
                task=FIRST, attempt=1, worker="gpu-1", when="2026-02-24T14:14:45.583000Z"
            )
        ],
        replay=f"loop26 replay {program.TASK}",
    )


def fallen() -> dict[str, Any]:
    """Return the error of a task that fell with this one."""
    return {"kind": "cascade", "root_cause": {"task_id": program.TASK}}


def everywhere_the_same(found: Investigation, spool: Path) -> Investigation:
    """Replace what differs from machine to machine."""
    places = {
        str(spool): "/spool",
        str(REPOSITORY): "/repository",
        str(LIBRARY): "/python",
    }

    def same(value: Any) -> Any:
        match value:
            case str():
                for place, name in places.items():
                    value = value.replace(place, name)
                return _LINE_OF_LIBRARY.sub(r"\1:0", _PROCESS.sub("process", value))
            case list():
                return [same(one) for one in value]
            case dict():
                told = {key: same(one) for key, one in value.items()}
                if str(told.get("file", "")).startswith("/python/"):
                    told |= {"line": 0, "source": []} if "source" in told else {"line": 0}
                return told
        return value

    told = same(msgspec.to_builtins(found))
    told["environment"] |= {"host": "host", "loop26": "version"}
    return msgspec.convert(told, Investigation)


def is_golden(name: str, text: str) -> None:
    """Compare a report with the one that is kept."""
    path = GOLDEN / name
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()


def test_the_json_is_the_one_that_is_kept(died: tuple[str, Investigation]) -> None:
    """All that is found, with fixed ids and times."""
    fault, found = died
    is_golden(f"{fault}.json", msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")


def test_the_terminals_text_is_the_one_that_is_kept(died: tuple[str, Investigation]) -> None:
    """At 80 columns."""
    fault, found = died
    text = plain(found, width=80)
    is_golden(f"{fault}.txt", "\n".join(line.rstrip() for line in text.splitlines()) + "\n")


def test_the_markdown_is_the_one_that_is_kept(died: tuple[str, Investigation]) -> None:
    """As for an issue."""
    fault, found = died
    is_golden(f"{fault}.md", markdown(found))


def test_each_death_is_told_with_its_line(died: tuple[str, Investigation]) -> None:
    """Raised, stopped at by a signal of its own, or opened at before a kill from outside."""
    fault, found = died
    assert found.failure is not None
    told = (found.failure.type, found.failure.place, found.failure.location.function)
    assert (
        told
        == {
            "exception": ("AttributeError", "raised at", "get_model_min_frames_and_step"),
            "library": ("json.decoder.JSONDecodeError", "raised at", "JSONDecoder.decode"),
            "segfault": ("segfault", "stopped at", "string_at"),
            "sigkill": ("sigkill", "opened at", "segment"),
        }[fault]
    )
    assert found.completeness.complete
    assert (found.loop.completed, found.loop.total) == ((8 if fault == "sigkill" else 32), 32)
