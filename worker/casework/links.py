"""Where else a task can be looked at, by what its row says."""

from telemetry.reports.case import TaskRow
from telemetry.reports.findings import LinksFound
from worker.settings import Settings
from worker.settings.linking import links_to


def links_of(settings: Settings, row: TaskRow) -> LinksFound:
    """Return the addresses of a task's pages, as far as the settings say where."""
    event_id = str(row.error.get("event_id", ""))
    links = links_to(settings)
    return LinksFound(
        trace_id=row.trace_id,
        sentry_event_id=event_id,
        jaeger=links.to_trace(row.trace_id),
        sentry=links.to_event(event_id),
        task=links.to_task(row.id),
        report=links.to_report(row.id),
    )
