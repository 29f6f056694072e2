"""Where else a task can be looked at: its trace at Jaeger, its error at Sentry."""

from itertools import pairwise
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

from telemetry.reports.case import TaskRow
from telemetry.reports.findings import LinksFound
from worker.settings import Settings


def links_of(settings: Settings, row: TaskRow) -> LinksFound:
    """Return the addresses of a task's trace and error, as far as the settings say where."""
    event_id = str(row.error.get("event_id", ""))
    jaeger, sentry = map(_bare, (settings.jaeger_url, settings.sentry_url))
    trace = f"{jaeger.rstrip('/')}/trace/{row.trace_id}" if jaeger and row.trace_id else ""
    search = f"{sentry.rstrip('/')}/issues/?query={{event_id}}" if sentry else ""
    event = _bare(settings.sentry_event_url) or search
    return LinksFound(
        trace_id=row.trace_id,
        sentry_event_id=event_id,
        jaeger=trace,
        sentry=_filled(event, event_id) if event_id else "",
    )


def _bare(address: str | None) -> str:
    """Return an address without the user and the password in it: a report goes to many."""
    parts = urlsplit(address or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _filled(page: str, event_id: str) -> str:
    """Return the address of an event; its id may be anything: who wrote the row is not known."""
    quoted = quote(event_id, safe="")
    is_uuid = len(event_id) == len(UUID(int=0).hex) and event_id.isalnum()
    parts = (event_id[start:end] for start, end in pairwise((0, 8, 12, 16, 20, 32)))
    dashed = "-".join(parts) if is_uuid else quoted
    return page.replace("{event_id}", quoted).replace("{event_uuid}", dashed)
