"""A worker's errors in a real server of Sentry's kind: one issue for one failure, at its line."""

import json
import os
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.home import Home, a_quick_task, a_slow_task, wait_for
from tests.servers.bugsink.server import Bugsink
from tests.servers.cache import Unavailable
from worker.task import TaskStatus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    """Run a server; skip where it is not installed and cannot be."""
    try:
        bugsink = Bugsink(tmp_path_factory.mktemp("bugsink") / "site")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with bugsink:
        yield bugsink


def issues_of(server: Bugsink, tasks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the events of the issues that these failed tasks have made, by issue."""
    wanted = {error["event_id"] for error in tasks}

    def arrived() -> dict[str, list[dict[str, Any]]]:
        found = {issue["id"]: server.events(issue["id"]) for issue in server.issues()}
        ours = {
            issue: events
            for issue, events in found.items()
            if wanted & {event["data"]["event_id"].replace("-", "") for event in events}
        }
        return ours if sum(map(len, ours.values())) >= len(tasks) else {}

    events: dict[str, list[dict[str, Any]]] = wait_for(arrived, "event at Bugsink", 30)
    return events


def error_of(home: Home, task_id: UUID) -> dict[str, Any]:
    """Return the error on the row of a failed task."""
    task = home.task(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    return dict(task.error)


def test_an_exception_is_one_issue_with_its_line_and_locals(home: Home, server: Bugsink) -> None:
    """The stack that Bugsink shows ends at the row's line, with source and variables."""
    home.environment["SENTRY_DSN"] = server.dsn
    picture = home.pictures(1)[0]
    params = {**a_quick_task()["params"], "model_name": "tiny_i2v", "image_start": picture}
    (task_id,) = home.enqueue({"task_type": "i2v", "params": params})
    Path(picture).write_bytes(b"no picture")
    home.work_until_idle()
    error = error_of(home, task_id)
    ((_issue, events),) = issues_of(server, [error]).items()
    (event,) = events
    shown = server.stacktrace(event["id"])
    assert f"{Path(error['file']).name}:{error['line']} in `{error['function']}`" in shown
    assert "▶" in shown
    assert "#### Locals" in shown
    assert picture in shown
    data = event["data"]
    assert data["contexts"]["trace"]["trace_id"] == error["trace_id"]
    assert data["contexts"]["asked parameters"]["image_start"] == picture
    told = data["tags"] if isinstance(data["tags"], dict) else dict(data["tags"])
    expected = {"task_id": str(task_id), "task_type": "i2v", "stage": "inputs", "attempt": "1"}
    assert expected.items() <= told.items()


def test_a_report_links_to_the_event(home: Home, server: Bugsink) -> None:
    """Its page is there, by the id that the row has."""
    home.environment["SENTRY_DSN"] = server.dsn
    task_id = home.insert(model_name="nobody")  # an issue that no other test here makes
    home.work_until_idle()
    error = error_of(home, task_id)
    issues_of(server, [error])
    home.environment["LOOP26_SENTRY_EVENT_URL"] = f"{server.url}/issues/event/{{event_uuid}}/"
    done = home.run("investigate", str(task_id), "--json")
    link = json.loads(done.stdout)["links"]["sentry"]
    assert str(UUID(error["event_id"])) in link
    with urllib.request.urlopen(link, timeout=20) as page:  # noqa: S310 - the server of this test
        # Whoever is not logged in is sent on, to the event after that.
        assert "event" in urllib.parse.unquote(page.url)


def test_one_failure_of_two_tasks_at_two_parameters_is_one_issue(
    home: Home, server: Bugsink
) -> None:
    """Neither the parameter's name nor the task's id splits it."""
    home.environment["SENTRY_DSN"] = server.dsn
    first = home.insert(num_inference_steps="many")
    second = home.insert(seed="some")
    home.work_until_idle()
    errors = [error_of(home, task_id) for task_id in (first, second)]
    assert [error["loop_index"] for error in errors] == [5, 6]
    ((_issue, events),) = issues_of(server, errors).items()
    assert len(events) == 2


def test_a_killed_task_process_is_a_fatal_issue_at_the_rows_place(
    home: Home, server: Bugsink
) -> None:
    """In the same trace."""
    home.environment["SENTRY_DSN"] = server.dsn
    (task_id,) = home.enqueue(a_slow_task())
    worker = home.worker("--set", "max_deaths=1")
    worker.wait_for("progress", stage="generate", step=2)
    os.kill(worker.task_process(), signal.SIGKILL)
    assert worker.process.wait(timeout=120) == 0
    error = error_of(home, task_id)
    ((_issue, events),) = issues_of(server, [error]).items()
    (event,) = events
    assert event["data"]["level"] == "fatal"
    frame = event["data"]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["abs_path"], frame["lineno"]) == (error["file"], error["line"])
    assert event["data"]["contexts"]["trace"]["trace_id"] == error["trace_id"]
