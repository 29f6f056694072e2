"""The commands, on a real queue: what they print, what they refuse, and the code they end with."""

import inspect
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.models import CommandInfo

from telemetry.reports.trace import read_trace
from worker.cli.app import app
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask, TaskStatus

from .conftest import T2V, Result, Run


def written(folder: Path, document: Any) -> str:
    """Write a task file; return its path."""
    path = folder / "tasks.json"
    path.write_text(json.dumps(document))
    return str(path)


def refused(result: Result, *said: str) -> None:
    """Check that a command was refused in one line that says all of this."""
    assert result.code != 0
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("loop26: ")
    for text in said:
        assert text in line


def test_enqueue_prints_one_id_a_line(run: Run, store: LocalStore, tmp_path: Path) -> None:
    """In the order of the file."""
    result = run("enqueue", written(tmp_path, [T2V, {**T2V, "task_type": "generate_video"}]))
    assert result.code == 0
    assert [store.get(UUID(line)).task_type for line in result.lines] == ["t2v", "generate_video"]


def test_enqueue_inserts_all_or_none(run: Run, store: LocalStore, tmp_path: Path) -> None:
    """A bad third task keeps the first two out."""
    bad = {"task_type": "t2v", "params": {"model": "tiny_t2w", "prompt": "a lake"}}
    result = run("enqueue", written(tmp_path, [T2V, T2V, bad]))
    refused(result, "tasks.json, task 3", "'tiny_t2w'", "did you mean 'tiny_t2v'")
    assert store.list_tasks() == []


def test_enqueue_refuses_an_unknown_type(run: Run, tmp_path: Path) -> None:
    """By name, with those that there are."""
    result = run("enqueue", written(tmp_path, {"task_type": "t2w", "params": {}}))
    refused(result, "'t2w'", "known: travel_orchestrator")
    assert result.code == 2


def test_enqueue_refuses_a_picture_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """Before a GPU is busy with it."""
    missing = str(tmp_path / "missing.png")
    params = {"model": "tiny_i2v", "prompt": "", "image": missing}
    refused(run("enqueue", written(tmp_path, {"task_type": "i2v", "params": params})), missing)


def test_enqueue_refuses_a_dependency_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """It would wait for ever."""
    missing = "00000000-0000-4000-8000-000000000000"
    refused(run("enqueue", written(tmp_path, {**T2V, "dependant_on": [missing]})), missing)


def test_enqueue_twice_with_a_key_is_once(run: Run, store: LocalStore, tmp_path: Path) -> None:
    """The second prints the id of the first."""
    source = written(tmp_path, {**T2V, "idempotency_key": "one"})
    assert run("enqueue", source).lines == run("enqueue", source).lines
    assert len(store.list_tasks()) == 1


def test_enqueue_reads_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a dash."""
    data = io.BytesIO(json.dumps(T2V).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    assert len(run("enqueue", "-").lines) == 1


def test_a_task_carries_the_trace_that_its_sending_began(
    run: Run, store: LocalStore, home: Path, tmp_path: Path
) -> None:
    """The `send` span is in a journal, and the row has its traceparent."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    model = read_trace(home / "spool", task_id)
    assert model is not None
    [span] = model.spans
    assert (span.name, span.parent_id) == ("send tasks", None)
    expected = f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert store.get(UUID(task_id)).trace_context == expected


def test_tasks_that_depend_on_each_other_share_a_trace(
    run: Run, store: LocalStore, tmp_path: Path
) -> None:
    """Others do not: one journey is one trace."""
    first, second, third = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))
    tasks = [
        {**T2V, "id": first},
        {**T2V, "id": second},
        {**T2V, "id": third, "dependant_on": [first]},
    ]
    assert run("enqueue", written(tmp_path, tasks)).lines == [first, second, third]
    traces = [(store.get(UUID(task)).trace_context or "")[:35] for task in (first, second, third)]
    assert traces[0] == traces[2] != traces[1]


def test_tasks_lists_what_there_is(run: Run, tmp_path: Path) -> None:
    """Newest first, and nothing is cut where no terminal is."""
    ids = run("enqueue", written(tmp_path, [T2V, T2V])).lines
    heading, *rows = run("tasks").lines
    assert heading.split()[:3] == ["id", "type", "status"]
    assert [row.split()[0] for row in rows] == [task_id[:13] for task_id in reversed(ids)]
    assert all("Queued" in row for row in rows)


@pytest.mark.usefixtures("store")
def test_tasks_says_so_when_there_are_none(run: Run) -> None:
    """And what to do."""
    assert run("tasks").out.startswith("no tasks; `loop26 enqueue FILE`")


@pytest.mark.parametrize("text", ["Queued", "queued", "QUEUED"])
def test_tasks_of_a_status(run: Run, tmp_path: Path, text: str) -> None:
    """However it is written."""
    first, second = run("enqueue", written(tmp_path, [T2V, T2V])).lines
    assert run("cancel", first).code == 0
    found = json.loads(run("tasks", "--status", text, "--json").out)
    assert [task["id"] for task in found] == [second]


def test_an_unknown_status_is_refused(run: Run) -> None:
    """With those that there are."""
    refused(run("tasks", "--status", "done"), "'done'", "'In Progress'")


def test_one_task_shows_everything(run: Run, tmp_path: Path) -> None:
    """Parameters and history; by the beginning of its id."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    out = run("tasks", task_id[:8]).out
    for text in (task_id, "Queued", '"prompt": "a lake"', "history", "inserted"):
        assert text in out


def test_one_task_as_json(run: Run, tmp_path: Path) -> None:
    """With its events and its children."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    task = json.loads(run("tasks", task_id, "--json").out)
    assert task["params"] == T2V["params"]
    assert [event["name"] for event in task["events"]] == ["inserted"]
    assert task["children"] == []


def claimed(store: LocalStore) -> UUID:
    """Claim the next task; return the claim's token."""
    request = ClaimRequest(
        worker_id="w",
        token=uuid4(),
        task_types=["t2v"],
        lease_s=60,
        trace_id="1" * 32,
        span_id="2" * 16,
    )
    assert store.claim(request) is not None
    return request.token


def test_a_failed_task_shows_its_error(run: Run, store: LocalStore, tmp_path: Path) -> None:
    """The sentence in the list, the place on its page."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    token = claimed(store)
    failure = Failure(
        kind="exception",
        type="AttributeError",
        message="no get",
        sentence="The model has no definition",
        file="engine.py",
        line=417,
        function="minimum_frames",
    )
    store.fail(token, failure)
    assert "The model has no definition" in run("tasks").out
    page = run("tasks", task_id).out
    for text in ("AttributeError", "engine.py", "417", "minimum_frames"):
        assert text in page


def test_a_task_shows_nothing_by_which_its_black_box_is_found(
    run: Run, store: LocalStore, tmp_path: Path
) -> None:
    """What is printed goes to many: what was drawn for the claim is the history's alone."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    token = claimed(store)
    drawn = store.events(UUID(task_id))[-1].data["drawn"]
    printed = run("tasks", task_id).out + run("tasks", task_id, "--json").out
    assert "claimed" in printed
    assert drawn not in printed
    assert str(token) not in printed


def test_a_beginning_that_fits_several_is_refused(run: Run, tmp_path: Path) -> None:
    """With some of them."""
    first, second = (f"abc0000{n}-0000-4000-8000-000000000000" for n in (1, 2))
    assert (
        run("enqueue", written(tmp_path, [{**T2V, "id": first}, {**T2V, "id": second}])).code == 0
    )
    refused(run("tasks", "abc"), "'abc'", first, second)


@pytest.mark.usefixtures("store")
def test_a_task_that_is_not_there_is_refused(run: Run) -> None:
    """By every command that takes an id."""
    for command in ("tasks", "cancel", "trace"):
        refused(run(command, "abcd"), "'abcd'", "`loop26 tasks` lists them")


@pytest.mark.usefixtures("store")
def test_what_is_no_id_is_refused(run: Run) -> None:
    """Before the queue is asked."""
    refused(run("tasks", "50%"), "'50%'", "hexadecimal")


def test_cancel_prints_what_it_cancelled(run: Run, store: LocalStore, tmp_path: Path) -> None:
    """And the tasks are Cancelled."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    assert run("cancel", task_id[:6], "--reason", "wrong picture").lines == [task_id]
    assert store.get(UUID(task_id)).status is TaskStatus.CANCELLED
    refused(run("cancel", task_id), task_id, "'Cancelled'")


def test_a_task_that_nobody_began_has_no_record(run: Run, store: LocalStore) -> None:
    """The command says why that may be."""
    [task_id] = store.insert([NewTask(task_type="t2v", params={})])
    refused(run("trace", str(task_id)), str(task_id), "not begun")


def test_a_trace_is_printed_as_a_tree_and_as_json(run: Run, tmp_path: Path) -> None:
    """The tree for people, OTLP JSON for programs."""
    [task_id] = run("enqueue", written(tmp_path, T2V)).lines
    assert "send tasks" in run("trace", task_id).out
    document = json.loads(run("trace", task_id, "--json").out)
    [span] = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["name"] == "send tasks"


def test_health_without_a_worker_is_no(run: Run) -> None:
    """With exit code 1 and what to do."""
    result = run("health")
    assert result.code == 1
    assert "loop26 run" in result.out
    assert json.loads(run("health", "--json").out)["ok"] is False


def test_settings_are_listed(run: Run, home: Path) -> None:
    """All of them; asking makes no home."""
    rows = json.loads(run("settings", "--json").out)
    found = {row["name"]: row for row in rows}
    assert found["home"]["value"] == str(home)
    assert found["home"]["source"] == "command line"
    assert found["lease_s"]["value"] == "60"
    assert "lease_s" in run("settings").out
    assert not home.exists()


def test_a_setting_can_be_set_before_the_command(run: Run) -> None:
    """And is checked."""
    rows = json.loads(run("--set", "poll_s=0.5", "settings", "--json").out)
    assert {row["name"]: row["value"] for row in rows}["poll_s"] == "0.5"
    refused(run("--set", "poll_s=0", "settings"), "poll_s", "'0'")
    refused(run("--set", "poll_s", "settings"), "NAME=VALUE")


@pytest.mark.usefixtures("store")
def test_a_commands_own_home_wins(run: Run, tmp_path: Path) -> None:
    """`loop26 tasks --home DIR` is how many will write it."""
    other = str(tmp_path / "other")
    [task_id] = run("enqueue", written(tmp_path, T2V), "--home", other).lines
    assert run("tasks").lines[0].startswith("no tasks")
    assert task_id[:13] in run("tasks", "--home", other).out


READERS = [
    ("tasks",),
    ("tasks", "--json"),
    ("tasks", "abcd"),
    ("cancel", "abcd"),
    ("trace", "abcd"),
    ("investigate", "abcd"),
    ("compare", "abcd", "bcde"),
    ("failures",),
    ("replay", "abcd"),
]


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_home_that_is_not_there_is_refused(run: Run, home: Path, command: list[str]) -> None:
    """By whatever asks a queue: it was mistyped, and is not made."""
    result = run(*command)
    refused(result, f"{str(home)!r}: is not there", "`loop26 enqueue FILE`", "--home DIR")
    assert result.code == 78
    assert not home.exists()


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_folder_without_a_queue_is_refused(run: Run, home: Path, command: list[str]) -> None:
    """And nothing is put into it: it is somebody's, and no home."""
    home.mkdir()
    result = run(*command)
    refused(result, f"{str(home)!r}: has no queue", "--home DIR")
    assert result.code == 78
    assert list(home.iterdir()) == []


def test_enqueue_makes_the_home(run: Run, home: Path, tmp_path: Path) -> None:
    """The first command that most people type."""
    assert run("enqueue", written(tmp_path, T2V)).code == 0
    assert (home / "queue.db").is_file()


def test_a_queue_file_that_is_none_is_refused(run: Run, home: Path) -> None:
    """With its path; the file stays as it is."""
    home.mkdir()
    (home / "queue.db").write_text("this is no database, whatever its name says\n" * 100)
    result = run("tasks")
    refused(result, str(home / "queue.db"))
    assert result.code == 78
    assert (home / "queue.db").read_text().startswith("this is no database")


def test_a_refused_start_leaves_the_terminal_as_it_was(home: Path) -> None:
    """One line, and a cursor that can be seen."""
    home.mkdir()
    (home / "queue.db").write_text("this is no database, whatever its name says\n" * 100)
    shown = on_a_terminal("--home", str(home), "run")
    assert "queue.db" in shown
    assert shown.rfind("\x1b[?25l") <= shown.rfind("\x1b[?25h")


def on_a_terminal(*argv: str) -> str:
    """Run a command line on a pseudo terminal; return all that it wrote."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", "from worker.cli import main; main()", *argv],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        shown = b"".join(iter(lambda: read_terminal(ours), b""))
    os.close(ours)
    return shown.decode()


def read_terminal(descriptor: int) -> bytes:
    """Read what there is; nothing once the other end is closed."""
    try:
        return os.read(descriptor, 4096)
    except OSError:  # how Linux says that nobody has the terminal open any more
        return b""


def test_a_command_line_that_is_wrong_ends_with_2(run: Run) -> None:
    """With typer's own words."""
    result = run("taskz")
    assert result.code == 2
    assert "tasks" in result.err


@pytest.mark.parametrize("command", ["run", "enqueue", "tasks", "cancel", "trace", "demo"])
def test_the_help_of_a_command_teaches_by_example(run: Run, command: str) -> None:
    """Each has at least one."""
    result = run(command, "--help")
    assert result.code == 0
    assert f"loop26 {command}" in result.out.partition("Example")[2] or command in {"run", "demo"}
    assert "Example" in result.out


@pytest.mark.parametrize("command", app.registered_commands, ids=lambda command: command.name)
def test_the_help_of_a_command_fits_a_terminal(command: CommandInfo) -> None:
    """From the second on, its lines are kept as they are written, and folded where too long."""
    text = inspect.getdoc(command.callback) or ""
    assert [line for line in text.splitlines()[1:] if len(line) > 78] == []


def test_a_bug_shows_a_traceback_and_ends_with_70(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it can be reported, and told from a mistake."""
    monkeypatch.setattr("worker.settings.configuration.load", lambda _options: 1 / 0)
    result = run("settings")
    assert result.code == 70
    assert "ZeroDivisionError" in result.err
    assert result.err.splitlines()[-1].endswith("please report it with the lines above")


def test_a_reader_that_leaves_early_is_no_error(home: Path) -> None:
    """`loop26 settings | head -1` says nothing on stderr."""
    code = "from worker.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--home", str(home), "settings", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_help_is_there_without_the_heavy_parts() -> None:
    """A shell user waits for it: no settings, no OpenTelemetry, no numpy."""
    code = (
        "import sys; from worker.cli import exit_code_of; exit_code_of(['--help']); "
        "heavy = ('pydantic', 'opentelemetry', 'numpy', 'torch', 'sqlite3', 'supabase'); "
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
