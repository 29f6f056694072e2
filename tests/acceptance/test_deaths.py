"""Every death at every stage: the line is named, the trace is whole, and the next task is done."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from telemetry import names
from telemetry.journal import JournalReader, process_directories, read_index
from telemetry.records import Kind
from telemetry.testing import OtlpReceiver, SentryReceiver
from tests.acceptance.backends import backends
from tests.acceptance.deaths import (
    CELLS,
    DEATHS,
    FEW,
    GROUP,
    control_group,
    death_of,
    worker_dies,
)
from tests.acceptance.home import Home, a_quick_task, home_at, wait_for
from tests.acceptance.injection import STAGES, Fault, inject, line_of, place_of, source_of
from worker.task import Task, TaskStatus

Test = TypeVar("Test", bound=Callable[..., None])
SLOW_S = 240  # what a machine that does much else may need for a few tasks


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each cell that is asked for, by `--deaths`, and that it can be said of."""
    if "cell" in metafunc.fixturenames:
        deaths = getattr(metafunc.function, "deaths", DEATHS)
        cells = wanted(metafunc.config)
        metafunc.parametrize("cell", [cell for cell in cells if death_of(cell) in deaths])


def of(*deaths: str) -> Callable[[Test], Test]:
    """Make a test one of some deaths only."""

    def mark(test: Test) -> Test:
        test.deaths = deaths  # type: ignore[attr-defined]  # a function takes attributes
        return test

    return mark


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

    fault: Fault
    task: Task
    task_process: Journalled
    begun: Counter[str]
    arrived: Counter[str]
    unlike: set[str]
    spans: dict[str, Any]
    events: list[dict[str, Any]]
    words: list[str]
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
        return self.task.updated_at.timestamp() - self.fault.met_at


class Matrix:
    """Runs a task for each cell through one worker, and keeps what came of it."""

    def __init__(self, home: Home, cells: list[str], group: Path | None) -> None:
        self.home = home
        # Memory is taken only where there is an end to it.
        self.cells = [cell for cell in cells if group or death_of(cell) != "out_of_memory"]
        self.group = group
        self.ids: dict[str, UUID] = {}
        self.faults: dict[str, Fault] = {}
        self.outcomes: dict[str, Outcome] = {}

    def run(self, otlp: OtlpReceiver, sentry: SentryReceiver) -> None:
        """Enqueue a task for each cell and one that is well; start workers until all is done."""
        names_ = [*self.cells, "nothing"]
        self.ids = dict(
            zip(names_, self.home.enqueue(*[a_quick_task()] * len(names_)), strict=True)
        )
        self.faults = {cell: self._fault(cell) for cell in self.cells}
        while self._worker_dies():
            pass
        if len(otlp.spans) < self.home.begun().total():
            # It has little time to ship at its end; the next start ships what was left.
            self._worker_dies()
        begun = self.home.begun()
        wait_for(lambda: len(otlp.spans) >= begun.total(), "spans", 20)
        wait_for(lambda: len(sentry.events) >= len(self.cells), "events", 20)
        self._look(otlp, sentry, begun)

    def _fault(self, cell: str) -> Fault:
        death, _, stage = cell.partition("@")
        words = f"{words_of(cell)}hunter2hunter2\n"
        return inject(self.home, STAGES[stage], death, task=self.ids[cell], words=words)

    def _worker_dies(self) -> bool:
        return worker_dies(self.home, self.group, SLOW_S + 60 * len(self.cells))

    def _look(self, otlp: OtlpReceiver, sentry: SentryReceiver, begun: Counter[str]) -> None:
        arrived = Counter(one.span.span_id.hex() for one in otlp.spans)
        by_id = {one.span.span_id.hex(): one for one in otlp.spans}
        copies: dict[str, set[bytes]] = defaultdict(set)
        for one in otlp.spans:
            copies[one.span.span_id.hex()].add(one.span.SerializeToString(deterministic=True))
        journalled = journalled_by_task(self.home)
        followers = dict(zip(self.ids, [*list(self.ids)[1:], "nothing"], strict=True))
        for cell in self.cells:
            task = self.home.task(self.ids[cell])
            mine = journalled[str(task.id)]
            trace_id = (task.error or {})["trace_id"]
            of_trace = {key for key, one in by_id.items() if one.span.trace_id.hex() == trace_id}
            of_task = of_trace | mine.begun
            self.outcomes[cell] = Outcome(
                fault=self.faults[cell],
                task=task,
                task_process=mine,
                begun=Counter({key: begun[key] for key in of_task}),
                arrived=Counter({key: arrived[key] for key in of_task if arrived[key]}),
                unlike={key for key in of_task if len(copies[key]) > 1},
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
    folder = tmp_path_factory.mktemp("deaths")
    with control_group() as group, home_at(folder) as home, backends(home) as receivers:
        made = Matrix(home, wanted(request.config), group)
        made.run(*receivers)
        print_table(made)
        yield made


@pytest.fixture
def one(matrix: Matrix, cell: str) -> Outcome:
    """Give what came of a cell; skip one that could not be died here."""
    if cell not in matrix.outcomes:
        pytest.skip(f"{cell} needs a control group with a memory limit: {GROUP} cannot be made")
    return matrix.outcomes[cell]


def print_table(matrix: Matrix) -> None:
    """Print a line for each cell: seen with `-s`."""
    print(f"\n{'death@stage':28} begun arrived twice sentry  row after  place")
    for cell, one in matrix.outcomes.items():
        twice = sum(count > 1 for count in one.arrived.values())
        right = "right" if one.place == place_of(one.fault) else "WRONG"
        where = f"{one.error['place']} {Path(one.place[0]).name}:{one.place[1]}, {right}"
        figures = f"{one.begun.total():5} {len(one.arrived):7} {twice:5} {len(one.events):6}"
        print(f"{cell:28} {figures} {one.seconds:8.2f} s  {where}")


def words_of(cell: str) -> str:
    """Return the last words in a cell, up to the secret in them."""
    return f"the last words before {cell}, password="


pytestmark = pytest.mark.timeout(3600)


def test_the_row_names_how_and_where(one: Outcome, cell: str) -> None:
    """Kind, line, how exactly it is known, stage, loop position; and the sentence says it."""
    death, _, stage = cell.partition("@")
    known = DEATHS[death]
    assert one.task.status is TaskStatus.FAILED
    assert one.error["type"].rpartition(".")[2] == known.kind
    assert one.place == place_of(one.fault)
    assert one.error["stage"] == stage
    assert (one.error["loop_index"], one.error["loop_count"]) == STAGES[stage].loop
    where = f"{Path(one.place[0]).name}:{one.place[1]} in {one.error['function']}"
    called = ""
    if one.error["own_file"]:  # what planted the death is nobody's own code
        own = f"{Path(one.error['own_file']).name}:{one.error['own_line']}"
        called = f", called at {own} in {one.error['own_function']},"
    said = f"{one.error['place']} {where}{called} during {stage}"
    assert said in (one.task.error_message or "")
    if known.dies:
        assert one.error["kind"] == "death"
        assert (one.error["signal"], one.error["exit_code"]) == (known.signal, known.exit_code)
        assert one.error["place"] == ("stopped at" if known.stopped else "opened at")
        assert one.task.deaths == 1
    else:
        assert (one.error["kind"], one.error["place"]) == ("exception", "raised at")


def test_every_span_arrives_once(one: Outcome, cell: str) -> None:
    """The supervisor's too; those that were open are closed as ERROR, with how they ended.

    What comes twice, because a supervisor died between an answer and its note of it, is alike.
    """
    known = DEATHS[death_of(cell)]
    assert set(one.arrived) == set(one.begun)
    # A supervisor that is killed has not noted what was answered in that instant: it comes again.
    assert one.arrived == one.begun or death_of(cell) == "both_at_once"
    assert not one.unlike
    assert set(one.begun.values()) == {1}
    kinds = {key: one.spans[key].attributes.get(names.DEATH_KIND) for key in one.begun}
    died = {key for key, kind in kinds.items() if kind == known.kind}
    supervisors = {key for key in one.begun if one.spans[key].span.name.startswith("process ")}
    assert len(supervisors) == 1
    assert died == (one.task_process.open | supervisors if known.dies else set())
    for key in died | supervisors:
        assert one.spans[key].span.status.code == Status.STATUS_CODE_ERROR
        assert one.spans[key].attributes.get(names.DEATH_SIGNAL, "") == known.signal
        assert one.spans[key].attributes.get(names.DEATH_EXIT_CODE) == known.exit_code


def test_sentry_has_one_event_at_the_same_place(one: Outcome) -> None:
    """Of the same id, in the same trace, at the same line."""
    of_causes = {one.error["caused_by"].get("event_id")}
    (event,) = [event for event in one.events if event["event_id"] not in of_causes]
    assert event["event_id"] == one.error["event_id"]
    innermost = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (innermost["abs_path"], innermost["lineno"]) == one.place
    assert event["tags"]["stage"] == one.error["stage"]


def test_the_record_says_how_complete_it_is(one: Outcome, cell: str) -> None:
    """On the row and on the span: what was begun, and that nothing but a torn record is missing."""
    record = one.error["record"]
    torn = cell.startswith("torn_record")
    assert record["spans"] == len(one.task_process.begun)
    assert (record["lost"], record["complete"]) == (int(torn), not torn)
    (span,) = [one.spans[key] for key in one.begun if one.spans[key].span.name.startswith("proc")]
    said = {name: span.attributes[f"loop26.record.{name}"] for name in ("spans", "records", "lost")}
    assert said == {name: record[name] for name in said}
    assert span.attributes[names.RECORD_COMPLETE] == record["complete"]


@of(*(death for death in DEATHS if death != "both_at_once"))
def test_the_last_words_are_kept_without_secrets(one: Outcome, cell: str) -> None:
    """On the row, and as a log record in the task's trace; a supervisor that died heard none."""
    assert any(said.startswith(words_of(cell)) for said in one.words)
    if DEATHS[death_of(cell)].dies:
        assert any(said.startswith(words_of(cell)) for said in one.error["last_words"])
    assert "hunter2" not in json.dumps([one.words, one.error, one.events])


def test_the_next_task_is_done_by_a_new_process(one: Outcome, cell: str) -> None:
    """And by the same one where only an exception was raised."""
    dies = DEATHS[death_of(cell)].dies
    assert (one.next_journal != one.task_process.journal) == dies
    assert (one.task_process.last_task == str(one.task.id)) == dies


@of("abort_while_unwinding")
def test_what_was_raised_before_the_death_is_its_cause(one: Outcome) -> None:
    """An exception on its way out when the process died is named beside the death."""
    cause, source = one.error["caused_by"], source_of("abort_while_unwinding")
    assert cause["type"] == "LookupError"
    assert (cause["file"], cause["line"]) == (str(source), line_of(source, "while_unwinding"))
    assert "raised right before: LookupError: there is no such" in (one.task.error_message or "")
    (event,) = [event for event in one.events if event["event_id"] == cause["event_id"]]
    assert event["level"] == "warning"


def test_a_task_after_all_these_deaths_is_done(matrix: Matrix) -> None:
    """The worker is as well as before."""
    assert matrix.home.task(matrix.ids["nothing"]).status is TaskStatus.COMPLETE
