"""Where else a task can be looked at."""

from typing import Any

import pytest

from telemetry.reports.case import TaskRow
from worker.casework.links import links_of
from worker.settings import Settings

EVENT = "0123456789abcdef0123456789abcdef"
ROW = TaskRow(id="a", type="t2v", status="Failed", trace_id="ab" * 16, error={"event_id": EVENT})


def test_without_addresses_there_are_ids_alone() -> None:
    """Whoever has the page can look for them."""
    found = links_of(Settings(), ROW)
    assert (found.trace_id, found.sentry_event_id) == ("ab" * 16, EVENT)
    assert (found.jaeger, found.sentry) == ("", "")


@pytest.mark.parametrize(
    ("settings", "sentry"),
    [
        (
            {"sentry_url": "https://o.sentry.example/"},
            f"https://o.sentry.example/issues/?query={EVENT}",
        ),
        ({"sentry_event_url": "http://b/{event_id}"}, f"http://b/{EVENT}"),
        (
            {"sentry_event_url": "http://b/{event_uuid}/"},
            "http://b/01234567-89ab-cdef-0123-456789abcdef/",
        ),
    ],
)
def test_the_event_has_a_page(settings: dict[str, Any], sentry: str) -> None:
    """Sentry's search by its id, or what the operator's own server has."""
    assert links_of(Settings(**settings), ROW).sentry == sentry


def test_the_trace_has_a_page() -> None:
    """Under the address that a Jaeger is asked at."""
    found = links_of(Settings(jaeger_url="http://j:16686/ui/"), ROW)
    assert found.jaeger == f"http://j:16686/ui/trace/{'ab' * 16}"


def test_a_trace_is_wherever_the_operator_keeps_it() -> None:
    """A template goes before Jaeger's own page."""
    found = links_of(Settings(jaeger_url="http://j", trace_url="http://t/?id={trace_id}"), ROW)
    assert found.jaeger == f"http://t/?id={'ab' * 16}"


def test_a_task_and_its_report_have_pages_of_the_operators_own() -> None:
    """By the task's id."""
    pages = {"task_url": "https://app/{task_id}", "report_url": "https://files/{task_id}.html"}
    found = links_of(Settings(**pages), ROW)
    assert (found.task, found.report) == ("https://app/a", "https://files/a.html")


@pytest.mark.parametrize("setting", ["trace_url", "task_url", "report_url", "sentry_event_url"])
def test_a_page_without_its_blank_is_refused(setting: str) -> None:
    """It would be the same page for all."""
    with pytest.raises(ValueError, match=setting):
        Settings(**{setting: "https://app/tasks"})


def test_an_id_that_is_none_makes_no_other_address() -> None:
    """Another application may have written the row."""
    row = TaskRow(id="a", type="t2v", status="Failed", error={"event_id": "../x?y#<script>"})
    found = links_of(Settings(sentry_event_url="http://b/{event_uuid}/"), row)
    assert found.sentry == "http://b/..%2Fx%3Fy%23%3Cscript%3E/"
    assert (
        links_of(Settings(sentry_url="http://s"), TaskRow(id="a", type="", status="")).sentry == ""
    )


def test_a_password_in_an_address_is_in_no_link() -> None:
    """A report is mailed, and a black box is copied."""
    settings = Settings(
        jaeger_url="http://bob:hunter2@j:16686",
        sentry_url="http://bob:hunter2@s",
        sentry_event_url="http://bob:hunter2@b/{event_id}",
    )
    found = links_of(settings, ROW)
    assert "hunter2" not in f"{found.jaeger} {found.sentry}"
    assert (found.jaeger[:13], found.sentry) == ("http://j:1668", f"http://b/{EVENT}")
