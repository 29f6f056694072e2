"""Every death at every stage: the line is named, the trace is whole, and the next task is done."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

import worker
from telemetry import names
from telemetry.journal import JournalReader, process_directories, read_index
from telemetry.records import Kind
from telemetry.testing import OtlpReceiver, SentryReceiver
from tests.acceptance.home import Home, a_quick_task, wait_for
from tests.acceptance.injection import STAGES
from worker.task import Task, TaskStatus

FOLDER = Path(__file__).with_name("deaths")
FAULTS = FOLDER / "deadly_faults.py"
GROUP = Path("/sys/fs/cgroup/memory") / f"loop26-test-{os.getpid()}"
GROUP_BYTES = 3 * 2**30
SLOW_S = 240  # what a machine that does much else may need for a few tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """What is known of a death beforehand.

    `stopped` is whether a Python stack can be: then the fault's own line is named, else the line
    that opened the innermost span. `dies` is false of what an exception is made of.
    """

    kind: str
    stopped: bool = True
    dies: bool = True
    signal: str = ""
    exit_code: int | None = None


DEATHS = {
    "exception": Death(kind="LookupError", dies=False),
    "sys_exit": Death(kind="SystemExit", dies=False),
    "memory_limit": Death(kind="MemoryError", dies=False),
    "sigint": Death(kind="sigint", signal="SIGINT"),
    "sigterm": Death(kind="sigterm", signal="SIGTERM"),
    "sigkill": Death(kind="sigkill", signal="SIGKILL", stopped=False),
    "out_of_memory": Death(kind="oom", signal="SIGKILL", stopped=False),
    "abort": Death(kind="abort", signal="SIGABRT"),
    "segfault": Death(kind="segfault", signal="SIGSEGV"),
    "bus_error": Death(kind="bus_error", signal="SIGBUS"),
    "bad_system_call": Death(kind="bad_system_call", signal="SIGSYS"),
    "fatal_error": Death(kind="abort", signal="SIGABRT"),
    "stack_overflow": Death(kind="segfault", signal="SIGSEGV"),
    "os_exit": Death(kind="exit", exit_code=3),
    "c_exit": Death(kind="exit", exit_code=4, stopped=False),
    "torn_record": Death(kind="sigkill", signal="SIGKILL", stopped=False),
    "both_at_once": Death(kind="lost", stopped=False),
}
# The line that opens the innermost span of each stage's point.
OPENERS = {
    "inputs": ("handlers/generate.py", 'with stage(context, "inputs")'),
    "parameters": ("params/resolve.py", "with telemetry.iteration("),
    "model": ("engines/diffusers_wan.py", 'with self._call("load"'),
    "generate": ("engines/denoise.py", "with self._span("),
    "encode": ("handlers/generation.py", 'with stage(context, "encode")'),
}
LOOPS = {"inputs": (0, 0), "parameters": (26, 32)}  # and 32 of 32 afterwards
CELLS = [f"{death}@{stage}" for stage in STAGES for death in DEATHS]
# Each death once, each stage three times.
FEW = [f"{death}@{list(STAGES)[n % len(STAGES)]}" for n, death in enumerate(DEATHS)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each cell that is asked for, by `--deaths`."""
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", wanted(metafunc.config))


def wanted(config: pytest.Config) -> list[str]:
    """Return the cells that are to be died."""
    return CELLS if config.getoption("--deaths") == "all" else FEW


@dataclass(slots=True, kw_only=True)
class Journalled:
    """What one task process has journalled of one task."""

    journal: Path
    last_task: str
    begun: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of one task afterwards."""

    cell: str
    task: Task
    task_process: Journalled
    begun: Counter[str]
    arrived: Counter[str]
    spans: dict[str, Any]
    events: list[dict[str, Any]]
    words: list[str]
    died_at: float
    next_journal: Path

    @property
    def error(self) -> dict[str, Any]:
        """The error on the task's row."""
        assert self.task.error is not None
        return self.task.error

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line that the row names."""
        return (self.error["file"], self.error["line"])

    @property
    def seconds(self) -> float:
        """From the death to the row."""
        return self.task.updated_at.timestamp() - self.died_at


@contextmanager
def control_group() -> Iterator[Path | None]:
    """Make a control group with little memory; None where that may not be done."""
    try:
        GROUP.mkdir()
        (GROUP / "memory.limit_in_bytes").write_text(str(GROUP_BYTES))
    except OSError:
        yield None
        return
    try:
        yield GROUP
    finally:
        members = GROUP / "cgroup.procs"
        wait_for(lambda: not members.read_text(), "end of the group's processes", 20)
        GROUP.rmdir()


class Matrix:
    """Runs a task for each cell through one worker, and keeps what came of it."""

    def __init__(self, home: Home, cells: list[str], group: Path | None) -> None:
        self.home = home
        self.cells = cells
        self.group = group
        self.told = home.path / "told"
        self.ids: dict[str, UUID] = {}
        self.outcomes: dict[str, Outcome] = {}

    def run(self, otlp: OtlpReceiver, sentry: SentryReceiver) -> None:
        """Enqueue a task for each cell and one that is well; start workers until all is done."""
        self.told.mkdir()
        points = {stage: asdict(point) for stage, point in STAGES.items()}
        self.home.environment |= {
            "PYTHONPATH": str(FOLDER),
            "DEATHS_POINTS": json.dumps(points),
            "DEATHS_TOLD": str(self.told),
            "DEATHS_GROUP": str(self.group or ""),
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
            "SENTRY_DSN": sentry.dsn,
        }
        names_ = [*self.cells, "nothing"]
        ids = self.home.enqueue(*(self._task(name) for name in names_))
        self.ids = dict(zip(names_, ids, strict=True))
        while self._worker_dies():
            pass
        if len(otlp.spans) < self._begun().total():
            # It has little time to ship at its end; the next start ships what was left.
            self._worker_dies()
        wanted_spans = self._begun()
        wait_for(lambda: len(otlp.spans) >= wanted_spans.total(), "spans", 20)
        wait_for(lambda: len(sentry.events) >= len(self.cells), "events", 20)
        self._look(otlp, sentry, wanted_spans)

    def _task(self, cell: str) -> dict[str, Any]:
        task = a_quick_task()
        task["params"]["shot_id"] = cell
        return task

    def _worker_dies(self) -> bool:
        """Run a worker to its end; whether it was killed."""
        worker_ = self.home.worker("--set", "max_deaths=1")
        if self.group:
            (self.group / "cgroup.procs").write_text(str(worker_.process.pid))
        code = worker_.process.wait(timeout=SLOW_S + 60 * len(self.cells))
        assert code in (0, -signal.SIGKILL), worker_.lines()
        return code != 0

    def _begun(self) -> Counter[str]:
        return Counter(
            record.body.span_id.hex()
            for directory in process_directories(self.home.path / "spool")
            for record in JournalReader(directory).read()
            if record.kind is Kind.SPAN_BEGIN
        )

    def _look(self, otlp: OtlpReceiver, sentry: SentryReceiver, begun: Counter[str]) -> None:
        arrived = Counter(one.span.span_id.hex() for one in otlp.spans)
        by_id = {one.span.span_id.hex(): one for one in otlp.spans}
        journalled = journalled_by_task(self.home)
        followers = dict(zip(self.ids, [*list(self.ids)[1:], "nothing"], strict=True))
        for cell in self.cells:
            task = self.home.task(self.ids[cell])
            mine = journalled[str(task.id)]
            trace_id = (task.error or {})["trace_id"]
            of_trace = {key for key, one in by_id.items() if one.span.trace_id.hex() == trace_id}
            of_task = of_trace | mine.begun
            self.outcomes[cell] = Outcome(
                cell=cell,
                task=task,
                task_process=mine,
                begun=Counter({key: begun[key] for key in of_task}),
                arrived=Counter({key: arrived[key] for key in of_task if arrived[key]}),
                spans=by_id,
                events=[
                    event
                    for event in sentry.events
                    if event["contexts"]["trace"]["trace_id"] == trace_id
                ],
                words=[
                    one.record.body.string_value
                    for one in otlp.logs
                    if one.record.trace_id.hex() == trace_id
                ],
                died_at=float((self.told / cell).read_text()),
                next_journal=journalled[str(self.ids[followers[cell]])].journal,
            )


def journalled_by_task(home: Home) -> dict[str, Journalled]:
    """Read what the task processes have journalled, by task id."""
    found: dict[str, Journalled] = {}
    for directory in process_directories(home.path / "spool"):
        if JournalReader(directory).facts.role != "task":
            continue
        entries = read_index(directory)
        for entry in entries:
            one = Journalled(journal=directory, last_task=entries[-1].task_id)
            for record in JournalReader(directory).read(start=entry.first, stop=entry.last):
                if record.kind is Kind.SPAN_BEGIN:
                    one.begun.add(record.body.span_id.hex())
                    one.open.add(record.body.span_id.hex())
                elif record.kind is Kind.SPAN_END:
                    one.open.discard(record.body.span_id.hex())
            found[entry.task_id] = one
    return found


@pytest.fixture(scope="module")
def matrix(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Matrix]:
    """Run the whole matrix once."""
    with ExitStack() as exits:
        group = exits.enter_context(control_group())
        home = Home(tmp_path_factory.mktemp("deaths") / "home")
        home.path.mkdir()
        exits.callback(home.close)
        otlp, sentry = exits.enter_context(OtlpReceiver()), exits.enter_context(SentryReceiver())
        made = Matrix(home, wanted(request.config), group)
        made.run(otlp, sentry)
        print_table(made)
        yield made


def print_table(matrix: Matrix) -> None:
    """Print a line for each cell: seen with `-s`."""
    print(f"\n{'death@stage':28} begun arrived twice sentry  row after  place")
    for cell, one in matrix.outcomes.items():
        twice = sum(count > 1 for count in one.arrived.values())
        right = "right" if one.place == place_of(cell) else "WRONG"
        where = f"{one.error['place']} {Path(one.place[0]).name}:{one.place[1]}, {right}"
        figures = f"{one.begun.total():5} {len(one.arrived):7} {twice:5} {len(one.events):6}"
        print(f"{cell:28} {figures} {one.seconds:8.2f} s  {where}")


def line_with(file: Path, text: str) -> int:
    """Return the number of the one line of a file that has a text in it."""
    (found,) = [n for n, line in enumerate(file.read_text().splitlines(), 1) if text in line]
    return found


def place_of(cell: str) -> tuple[str, int]:
    """Return the file and line that must be named for a cell."""
    death, _, stage = cell.partition("@")
    if DEATHS[death].stopped:
        return str(FAULTS), line_with(FAULTS, f"# {death}")
    file, text = OPENERS[stage]
    path = Path(worker.__file__).parent / file
    return str(path), line_with(path, text)


def kind_of(matrix: Matrix, death: str) -> str:
    """Return what a death must be called; without a control group none is out of memory."""
    return "sigkill" if death == "out_of_memory" and not matrix.group else DEATHS[death].kind


pytestmark = [pytest.mark.timeout(3600), pytest.mark.xdist_group("deaths")]


def test_the_row_names_how_and_where(matrix: Matrix, cell: str) -> None:
    """Kind, line, how exactly it is known, stage, loop position; and the sentence says it."""
    death, _, stage = cell.partition("@")
    one, known = matrix.outcomes[cell], DEATHS[death]
    assert one.task.status is TaskStatus.FAILED
    assert one.error["type"].rpartition(".")[2] == kind_of(matrix, death)
    assert one.place == place_of(cell)
    assert one.error["stage"] == stage
    assert (one.error["loop_index"], one.error["loop_count"]) == LOOPS.get(stage, (32, 32))
    where = f"{Path(one.place[0]).name}:{one.place[1]} in {one.error['function']}"
    assert f"{one.error['place']} {where} during {stage}" in (one.task.error_message or "")
    if known.dies:
        assert one.error["kind"] == "death"
        assert (one.error["signal"], one.error["exit_code"]) == (known.signal, known.exit_code)
        assert one.error["place"] == ("stopped at" if known.stopped else "opened at")
        assert one.task.deaths == 1
    else:
        assert (one.error["kind"], one.error["place"]) == ("exception", "raised at")


def test_every_span_arrives_once(matrix: Matrix, cell: str) -> None:
    """The supervisor's too; those that were open are closed as ERROR, with how they ended."""
    death = cell.partition("@")[0]
    one, known = matrix.outcomes[cell], DEATHS[death]
    assert one.arrived == one.begun
    assert set(one.begun.values()) == {1}
    kinds = {key: one.spans[key].attributes.get(names.DEATH_KIND) for key in one.begun}
    died = {key for key, kind in kinds.items() if kind == kind_of(matrix, death)}
    supervisors = {key for key in one.begun if one.spans[key].span.name.startswith("process ")}
    assert len(supervisors) == 1
    assert died == (one.task_process.open | supervisors if known.dies else set())
    for key in died | supervisors:
        assert one.spans[key].span.status.code == Status.STATUS_CODE_ERROR
        assert one.spans[key].attributes.get(names.DEATH_SIGNAL, "") == known.signal
        assert one.spans[key].attributes.get(names.DEATH_EXIT_CODE) == known.exit_code


def test_sentry_has_one_event_at_the_same_place(matrix: Matrix, cell: str) -> None:
    """Of the same id, in the same trace, at the same line."""
    one = matrix.outcomes[cell]
    (event,) = one.events
    assert event["event_id"] == one.error["event_id"]
    innermost = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (innermost["abs_path"], innermost["lineno"]) == one.place
    assert event["tags"]["stage"] == one.error["stage"]


def test_the_record_says_how_complete_it_is(matrix: Matrix, cell: str) -> None:
    """On the row and on the span: what was begun, and that nothing but a torn record is missing."""
    one = matrix.outcomes[cell]
    record = one.error["record"]
    torn = cell.startswith("torn_record")
    assert record["spans"] == len(one.task_process.begun)
    assert (record["lost"], record["complete"]) == (int(torn), not torn)
    (span,) = [one.spans[key] for key in one.begun if one.spans[key].span.name.startswith("proc")]
    said = {name: span.attributes[f"loop26.record.{name}"] for name in ("spans", "records", "lost")}
    assert said == {name: record[name] for name in said}
    assert span.attributes[names.RECORD_COMPLETE] == record["complete"]


def test_the_last_words_are_kept_without_secrets(matrix: Matrix, cell: str) -> None:
    """On the row, and as a log record in the task's trace; a supervisor that died heard none."""
    if cell.startswith("both_at_once"):
        return
    one = matrix.outcomes[cell]
    words = f"the last words before {cell}, password="
    assert any(said.startswith(words) for said in one.words)
    if DEATHS[cell.partition("@")[0]].dies:
        assert any(said.startswith(words) for said in one.error["last_words"])
    assert "hunter2" not in json.dumps([one.words, one.error, one.events])


def test_the_next_task_is_done_by_a_new_process(matrix: Matrix, cell: str) -> None:
    """And by the same one where only an exception was raised."""
    one = matrix.outcomes[cell]
    dies = DEATHS[cell.partition("@")[0]].dies
    assert (one.next_journal != one.task_process.journal) == dies
    assert (one.task_process.last_task == str(one.task.id)) == dies


def test_a_task_after_all_these_deaths_is_done(matrix: Matrix) -> None:
    """The worker is as well as before."""
    assert matrix.home.task(matrix.ids["nothing"]).status is TaskStatus.COMPLETE
