"""Two workers with a token each work off a shared queue, for a laptop and for an application."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from telemetry.journal import JournalReader, process_directories
from telemetry.spans import Folder, Span
from tests.acceptance.home import a_quick_task, assert_whole, wait_for
from tests.acceptance.shared_home import Working, fleet_on
from worker.task import NewTask, Task, TaskStatus

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

SEGMENTS = 4
PROJECT = "00000000-0000-0000-0000-0000000000aa"
GUIDE = Path(__file__).parents[2] / "docs" / "shared-queue.md"
USER = "00000000-0000-0000-0000-0000000000bb"
RETURNED = {"Prefer": "return=representation"}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def working(
    supabase_server: "Supabase", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Working]:
    """Start two workers, then send a journey from a laptop; both stay until the end."""
    with fleet_on(supabase_server, tmp_path_factory.mktemp("fleet"), "fleet") as fleet:
        laptop = fleet.laptop()
        made = [
            laptop.run("worker-token", "create", name, "--days", "3") for name in ("one", "two")
        ]
        tokens = tuple(each.stdout.strip() for each in made)
        homes = tuple(map(fleet.worker, ("one", "two"), tokens))
        workers = tuple(home.worker("--set", "poll_s=0.05", until_idle=False) for home in homes)
        for worker in workers:
            worker.wait_for("ready")
        (journey,) = laptop.enqueue(laptop.journey(SEGMENTS))
        found = Working(
            fleet=fleet,
            laptop=laptop,
            tokens=tokens,
            homes=homes,
            workers=workers,
            journey=journey,
        )
        found.ended(journey)
        yield found


@pytest.fixture(scope="module")
def failed(working: Working) -> Task:
    """A task that failed on one of the workers."""
    task = NewTask(task_type="i2v", params={"prompt": "a lake", "model_name": "tiny_i2v"})
    with closing(working.laptop.shared_store()) as store:
        store.insert([task])
    return working.ended(task.id)


@pytest.fixture(scope="module")
def application(working: Working) -> Iterator[httpx.Client]:
    """An application of signed-in users: it has the policies that the guide has, and no more."""
    policies = re.findall(r"```sql\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    server = working.fleet.server
    with server.connect(working.fleet.name) as owner:
        owner.execute(policies[0])
        owner.execute("insert into project_members values (%s, %s)", (PROJECT, USER))
    headers = {"Authorization": f"Bearer {server.key('authenticated', sub=USER)}"}
    with httpx.Client(base_url=working.fleet.url, headers=headers, timeout=20) as client:
        yield client


def test_a_journey_is_worked_off_by_both(working: Working) -> None:
    """Each has had segments of it, and it is whole: one video, which the orchestrator has."""
    assert_whole(working.laptop, [working.journey], SEGMENTS)
    orchestrator, *segments, stitch = working.tasks
    by = {str(task.worker_id).partition("-")[0] for task in segments}
    assert by == {"one", "two"}
    assert orchestrator.output_location == stitch.output_location


def test_a_journey_over_two_workers_is_one_trace(working: Working) -> None:
    """That of the laptop's command that sent it, in the journals of all three."""
    ids = set(map(str, working.ids))
    spans = [
        span
        for home in (working.laptop, *working.homes)
        for directory in process_directories(home.path / "spool")
        for span in _spans(directory)
        if span.attributes.get("loop26.task.id") in ids
    ]
    traces = {span.trace_id.hex() for span in spans}
    assert traces == {str(working.tasks[0].trace_context).split("-")[1]}
    assert [span.name for span in spans].count("process travel_segment") == SEGMENTS


def _spans(directory: Path) -> Iterator[Span]:
    folder = Folder()
    for record in JournalReader(directory).read():
        yield from folder.feed(record)


def test_no_token_is_in_any_file_or_command_line(working: Working) -> None:
    """Of any home: journals, what was printed, status files; it came by the environment."""
    files = [path for home in working.fleet.homes for path in home.path.rglob("*")]
    contents = [path.read_bytes() for path in files if path.is_file()]
    contents += [
        Path(f"/proc/{pid}/cmdline").read_bytes()
        for worker in working.workers
        for pid in (worker.process.pid, worker.task_process())
    ]
    secrets = (*working.tokens, working.fleet.server.key("service_role"))
    assert len(contents) > 10
    assert not [each for each in contents for secret in secrets if secret.encode() in each]


def test_the_process_that_runs_tasks_has_no_key(working: Working) -> None:
    """Neither the worker's token nor the publishable key, nor their names."""
    environment = Path(f"/proc/{working.workers[0].task_process()}/environ").read_bytes()
    for secret in (*working.tokens, working.fleet.server.key("anon"), "SUPABASE_P", "WORKER_TOKEN"):
        assert secret.encode() not in environment


def test_a_laptop_sees_the_queue(working: Working) -> None:
    """Its tasks, and each with its children and its history."""
    listed = working.laptop.run("tasks", "--json")
    assert {UUID(row["id"]) for row in json.loads(listed.stdout)} >= set(working.ids)
    one = working.laptop.run("tasks", str(working.journey))
    assert one.returncode == 0
    assert "travel_stitch" in one.stdout


def test_a_laptop_cancels(working: Working) -> None:
    """With the whole journey; again it says what has become of it."""
    with working.stopped():
        (task_id,) = working.laptop.enqueue(working.laptop.journey(1))
        done = working.laptop.run("cancel", str(task_id))
    assert done.stdout.split() == [str(task_id)]
    assert working.laptop.task(task_id).status is TaskStatus.CANCELLED
    [line] = working.laptop.run("cancel", str(task_id)).stderr.splitlines()
    assert "is 'Cancelled' and cannot become 'Cancelled'" in line


def test_an_investigation_without_a_journal_says_what_is_missing(
    working: Working, failed: Task
) -> None:
    """The failure and its place out of the row; nothing is concluded from what is not there."""
    report = json.loads(working.laptop.run("investigate", str(failed.id), "--json").stdout)
    text = working.laptop.run("investigate", str(failed.id)).stdout
    error = failed.error or {}
    assert f"{error['file']}:{error['line']}" in text
    assert "THE RECORD IS INCOMPLETE" in text
    assert "Look where the task ran" in text
    verdicts = {cause["verdict"] for cause in report["hypotheses"]}
    assert "supported" not in verdicts


def test_a_black_box_tells_a_laptop_all_of_it(working: Working, failed: Task) -> None:
    """Every frame with its locals, though a worker's token has written it."""
    name = f"outputs/{failed.id}/failure.blackbox"
    boxes = [home.path / name for home in working.homes]
    box = wait_for(lambda: next(filter(Path.is_file, boxes), None), "black box")
    told = working.laptop.run("investigate", str(box)).stdout
    assert str(failed.id) in told
    assert "Every frame with its locals  outermost first" in told
    assert "the queue was asked with a worker's token" in told


def test_failures_of_all_workers_are_grouped_on_a_laptop(working: Working, failed: Task) -> None:
    """By cause, with the worker that had each."""
    told = working.laptop.run("failures").stdout
    assert str(failed.id) in told
    assert str(failed.worker_id) in told


def test_two_tasks_are_compared_on_a_laptop(working: Working) -> None:
    """By their rows; it says that their courses cannot be."""
    _, first, second, *_ = working.ids
    done = working.laptop.run("compare", str(first), str(second))
    assert done.returncode == 0
    assert "segment_index" in done.stdout
    assert "a side has no record" in done.stdout


def test_a_trace_without_the_journal_says_whose_it_is(working: Working) -> None:
    """What the laptop has is the sending alone."""
    told = working.laptop.run("trace", str(working.journey)).stdout
    assert f"{working.tasks[0].worker_id} made it on another machine" in told
    assert "send tasks" in told


@pytest.mark.parametrize(
    "command", [("tasks",), ("failures",), ("cancel", "0" * 8), ("worker-token", "list")]
)
def test_a_worker_is_told_what_is_for_operators(working: Working, command: tuple[str, ...]) -> None:
    """In one line, with the way out."""
    done = working.homes[0].run(*command)
    [line] = done.stderr.splitlines()
    assert done.returncode == 78
    assert "it is for operators: set SUPABASE_SECRET_KEY" in line


def test_an_application_inserts_a_task_and_watches_it(application: httpx.Client) -> None:
    """From Queued to Complete, in the columns and the words that it has always known."""
    row = {**a_quick_task(), "project_id": PROJECT, "idempotency_key": "mine"}
    made = application.post(
        "/tasks",
        json=row,
        headers={**RETURNED, "traceparent": TRACEPARENT},
    )
    assert made.status_code == 201, made.text
    [task] = made.json()
    assert (task["status"], task["attempts"], task["dependant_on"]) == ("Queued", 0, [])
    seen = _watched(application, task["id"])
    assert [row["status"] for row in seen if row["status"] != "Queued"][-1] == "Complete"
    last = seen[-1]
    assert last["created_at"] <= last["generation_started_at"] <= last["generation_processed_at"]
    assert last["error_message"] is None
    assert Path(last["output_location"]).is_file()
    assert Path(last["output_location"]).parent.name == task["id"]
    assert (last["attempts"], last["trace_context"]) == (1, TRACEPARENT)
    again = application.post("/tasks", json=row)
    assert again.status_code == 409


def test_an_application_reads_why_a_task_failed(application: httpx.Client) -> None:
    """One sentence in error_message; output_location stays empty."""
    row = {"task_type": "t2v", "params": {"prompt": "a lake"}, "project_id": PROJECT}
    [task] = application.post("/tasks", json=row, headers=RETURNED).json()
    last = _watched(application, task["id"])[-1]
    assert (last["status"], last["output_location"]) == ("Failed", None)
    assert "model" in last["error_message"]
    assert "\n" not in last["error_message"]


def test_an_application_sees_the_children_of_its_journey(
    working: Working, application: httpx.Client
) -> None:
    """They are of the same project; one more worker's output is the orchestrator's."""
    row = {**working.laptop.journey(1), "project_id": PROJECT}
    [task] = application.post("/tasks", json=row, headers=RETURNED).json()
    last = _watched(application, task["id"])[-1]
    assert last["status"] == "Complete", last
    params = {"params->>orchestrator_task_id_ref": f"eq.{task['id']}"}
    children = application.get("/tasks", params=params).json()
    assert {child["task_type"] for child in children} == {"travel_segment"}
    assert last["output_location"]


def test_an_application_cancels_and_may_no_more(
    working: Working, application: httpx.Client
) -> None:
    """A status that may not follow is refused; so is a row of another project, and a column."""
    with working.stopped():
        row = {**a_quick_task(), "project_id": PROJECT}
        [task] = application.post("/tasks", json=row, headers=RETURNED).json()
        at = f"/tasks?id=eq.{task['id']}"
        assert application.patch(at, json={"status": "Complete"}).status_code == 409
        assert application.patch(at, json={"status": "Cancelled"}).is_success
        [now] = application.get(at).json()
        assert now["status"] == "Cancelled"
        assert application.patch(at, json={"output_location": "mine"}).status_code == 403
    other = {**a_quick_task(), "project_id": str(UUID(int=1))}
    assert application.post("/tasks", json=other).status_code == 403
    assert application.get(f"/tasks?id=eq.{working.journey}").json() == []


def test_a_revoked_worker_ends_and_says_why(working: Working) -> None:
    """With the exit code that tells its host not to start it again. Last: it ends a worker."""
    working.laptop.run("worker-token", "revoke", "two")
    worker = working.workers[1]
    assert worker.process.wait(60) == 78
    assert "the worker token 'two' was revoked" in worker.output().decode()
    [line] = working.homes[1].run("run", "--until-idle").stderr.splitlines()
    assert "was revoked" in line
    assert working.workers[0].process.poll() is None


def _watched(application: httpx.Client, task_id: str) -> list[dict[str, Any]]:
    """Read a row until it has ended; return every reading of it."""
    seen: list[dict[str, Any]] = []

    def ended() -> bool:
        [row] = application.get(f"/tasks?id=eq.{task_id}&select=*").json()
        seen.append(row)
        return row["status"] in ("Complete", "Failed", "Cancelled")

    wait_for(ended, f"end of {task_id}")
    return seen
